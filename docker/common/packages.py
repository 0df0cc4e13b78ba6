"""The packages of the toolchain whose static libraries are inside a wheel, as parts of its SBOM."""

import subprocess
from pathlib import Path


def package(archive: str) -> "dict[str, str]":
    """The package of the toolchain that a library belongs to."""
    owner = _output("dpkg", "--search", str(Path(archive).resolve()))
    name = owner.split(":")[0]
    version, arch = _output(
        "dpkg-query", "--show", "--showformat", "${Version} ${Architecture}", name
    ).split()
    purl = "pkg:deb/debian/{}@{}?arch={}".format(name, version.replace("+", "%2B"), arch)
    return {"name": name, "version": version, "purl": purl}


def newer_than_glibc() -> "dict[str, str]":
    """The part of libstdc++ that is newer than the glibc that is linked for: liblater.a of docker/glibc."""
    return dict(
        package(_output("gcc", "-print-file-name=libstdc++.a").strip()),
        how="linked statically: what the libstdc++ of the glibc that is linked for does not have",
        bound="upper",
    )


def _output(*command: str) -> str:
    return subprocess.run(command, stdout=subprocess.PIPE, check=True).stdout.decode()
