"""Small wheels, results that hold them as if they had been built, and the installers that take them."""

from __future__ import annotations

import base64
import hashlib
import os
import subprocess
import sys
import tarfile
import zipfile
from io import BytesIO
from pathlib import Path

from kiln.attest import Revision, provenance
from kiln.build import record
from kiln.core import sha256_of
from kiln.core.fields import Value
from kiln.plan import planner
from kiln.plan.planner import Request
from kiln.recipe import Catalogue
from kiln.sources import Obtained, Vault
from tests.support import repository

PASSED = '<testsuite><testcase classname="test_toy" name="test_toy"/></testsuite>'
FAILED = '<testsuite><testcase classname="test_toy" name="test_toy"><failure/></testcase></testsuite>'


def wheel(
    folder: Path,
    name: str = "toy",
    version: str = "1.0",
    says: str = "",
    requires: tuple[str, ...] = (),
    stamp: str = "",
    platform: str = "any",
) -> Path:
    """A wheel whose module says what it is told to say, or else the wheel's version. `stamp` is that of a build."""
    stem = f"{name.replace('-', '_')}-{version}"
    headers = [f"Requires-Dist: {each}\n" for each in requires]
    files = {
        f"{name.replace('-', '_')}.py": f"says = {says or version!r}\n",
        f"{stem}.dist-info/METADATA": f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}\n"
        f"Requires-Python: >=3.6\n{''.join(headers)}\n",
        f"{stem}.dist-info/WHEEL": f"Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-{platform}\n",
    }
    if stamp:
        files[f"{stem}.dist-info/kiln.json"] = stamp
    rows = [f"{path},sha256={_digest(text.encode())},{len(text.encode())}\n" for path, text in files.items()]
    files[f"{stem}.dist-info/RECORD"] = "".join([*rows, f"{stem}.dist-info/RECORD,,\n"])
    path = folder / f"{stem}-py3-none-{platform}.whl"
    folder.mkdir(parents=True, exist_ok=True)
    with zipfile.ZipFile(path, "w") as archive:
        for each, text in files.items():
            archive.writestr(zipfile.ZipInfo(each), text)
    return path


def sdist(folder: Path, name: str, version: str) -> Path:
    """A source distribution that builds itself, without any builder but the standard library."""
    stem = f"{name}-{version}"
    made = wheel(folder / "inside", name, version)
    files = {
        "pyproject.toml": '[build-system]\nrequires = []\nbuild-backend = "backend"\nbackend-path = ["."]\n',
        "backend.py": "import shutil\n"
        f"def build_wheel(folder, *_, **__):\n    shutil.copy({made.name!r}, folder)\n    return {made.name!r}\n",
        "PKG-INFO": f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}\n",
    }
    path = folder / f"{stem}.tar.gz"
    with tarfile.open(path, "w:gz") as archive:
        archive.add(made, f"{stem}/{made.name}")
        for each, text in files.items():
            info = tarfile.TarInfo(f"{stem}/{each}")
            info.size = len(text.encode())
            archive.addfile(info, BytesIO(text.encode()))
    return path


def result(
    folder: Path,
    local: str | None = None,
    says: str = "",
    smoke: str = PASSED,
    name: str = "toy",
    requires: tuple[str, ...] = (),
    platform: str = "any",
    **asked: str | dict[str, Value],
) -> Path:
    """A result of the toy recipe in a folder of its own, with the local version of its variant."""
    root = folder / "root"
    if not root.exists():
        repository.make(root)
    made = planner.make(Catalogue(root), Request("toy", **asked))  # type: ignore[arg-type]
    label = made.environment["KILN_LOCAL_VERSION"] if local is None else local
    version = "1.0" + (f"+{label}" if label else "")
    built = wheel(folder / "built", name, version, says, requires, made.stamp, platform)
    (folder / "build.log").write_text("a log of one machine", encoding="utf-8")
    (folder / "smoke.xml").write_text(smoke, encoding="utf-8")
    (folder / "results").mkdir(exist_ok=True)
    vault = Vault(folder / "vault")
    obtained = [
        Obtained(each, vault.path(each.digest), str(each.origins[0]), each.origins[0])
        for each in made.sources
    ]
    invocation = provenance.Invocation(Revision("1" * 40, "", True), 0, 60)
    stated = provenance.statement(built.name, sha256_of(built), made, obtained, vault, invocation)
    described = {record.PROVENANCE: stated}
    reports = [folder / "smoke.xml"]
    return record.write(folder / "results", made, built, folder / "build.log", reports, described).folder


class Venv:
    """A fresh environment, into which real pip and real uv install."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        subprocess.run([sys.executable, "-m", "venv", "--without-pip", folder], check=True)

    def pip(self, index: str, *arguments: str | Path) -> subprocess.CompletedProcess[str]:
        command = [
            sys.executable, "-m", "pip", "--python", self.folder, "--disable-pip-version-check", "install",
            "--no-cache-dir", "--force-reinstall", "--index-url", index, *arguments,
        ]  # fmt: skip
        return _run(command)

    def uv(self, index: str, *arguments: str | Path) -> subprocess.CompletedProcess[str]:
        program = Path(sys.executable).with_name("uv")
        command = [
            program, "pip", "install", "--no-cache", "--no-config", "--reinstall",
            "--python", self.folder / "bin" / "python", "--index-url", index, *arguments,
        ]  # fmt: skip
        return _run(command)

    def says(self, module: str = "toy") -> str:
        code = f"import {module}; print({module}.says, end='')"
        return _run([self.folder / "bin" / "python", "-c", code]).stdout


def _run(command: list[str | Path]) -> subprocess.CompletedProcess[str]:
    return subprocess.run(command, env=dict(os.environ), capture_output=True, text=True)


def _digest(content: bytes) -> str:
    return base64.urlsafe_b64encode(hashlib.sha256(content).digest()).rstrip(b"=").decode()
