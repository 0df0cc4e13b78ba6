"""Stand-ins: wheels without files, under other names of a built wheel, which they require.

Others publish one package under several names, and two of them installed together break each other. In an index with
stand-ins every such name leads to the one wheel.
"""

from __future__ import annotations

import base64
import email
import hashlib
import zipfile
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path

from packaging.version import Version

from kiln.index import wheelhouse
from kiln.index.wheelhouse import Entry, Item

METADATA = """\
Metadata-Version: 2.1
Name: {name}
Version: {version}
Summary: Has no files: it stands in for {name}, and requires {project}, which has them
{python}Requires-Dist: {project}=={wanted}

"""
WHEEL = "Wheel-Version: 1.0\nGenerator: kiln\nRoot-Is-Purelib: false\n{tags}"


def make_stand_ins(
    built: Sequence[Item],
    names: Mapping[str, Mapping[str, tuple[str, ...]]],
    known: Iterable[Entry],
    folder: Path,
) -> list[Item]:
    """The stand-ins that built wheels lead to, written to a folder.

    `names` are by recipe: for each other name the wheels that have all of it, the best first. A name for which there is
    a wheel or a stand-in already, here or among the `known` entries, gets no other one.
    """
    there = {item.entry.file for item in built} | {entry.file for entry in known}
    found: dict[str, Item] = {}
    for name, item in _wanted(built, names):
        file = _file(name, item, item.entry.version)
        stand_in = _file(name, item, _below(item.entry.version))
        if not {file, stand_in} & {*there, *found}:
            found[stand_in] = _written(folder / stand_in, name, item)
    return list(found.values())


def _wanted(
    built: Sequence[Item], names: Mapping[str, Mapping[str, tuple[str, ...]]]
) -> Iterator[tuple[str, Item]]:
    """Every name with each wheel that may have it, the best first."""
    for recipe, table in names.items():
        for name, projects in table.items():
            for project in projects:
                for item in built:
                    if item.entry.built and (item.entry.built.recipe, item.entry.project) == (
                        recipe,
                        project,
                    ):
                        yield name, item


def _below(version: Version) -> Version:
    """The version of a stand-in: below that of every wheel, which may still come under this name."""
    return Version(f"{version.public}+0.{version.local or 1}")


def _file(name: str, item: Item, version: Version) -> str:
    """A file with the tags of a wheel and another name and version."""
    return "-".join((name.replace("-", "_"), str(version), *item.entry.file.split("-")[-3:]))


def _written(path: Path, name: str, item: Item) -> Item:
    """A stand-in as a file, whose bytes depend on the wheel that it requires alone."""
    own = email.message_from_bytes(item.metadata or b"")
    version = _below(item.entry.version)
    python = f"Requires-Python: {own['Requires-Python']}\n" if own["Requires-Python"] else ""
    info = f"{name.replace('-', '_')}-{version}.dist-info"
    tags = path.stem.split("-")[-3:]
    listed = [
        f"Tag: {a}-{b}-{c}\n"
        for a in tags[0].split(".")
        for b in tags[1].split(".")
        for c in tags[2].split(".")
    ]
    files = {
        f"{info}/METADATA": METADATA.format(
            name=name, version=version, python=python, project=item.entry.project, wanted=item.entry.version
        ),
        f"{info}/WHEEL": WHEEL.format(tags="".join(listed)),
    }
    rows = [f"{file},{_hashed(text.encode())}\n" for file, text in files.items()]
    files[f"{info}/RECORD"] = "".join([*rows, f"{info}/RECORD,,\n"])
    with zipfile.ZipFile(path, "w") as archive:
        for file, text in files.items():
            entry = zipfile.ZipInfo(file)
            entry.create_system, entry.external_attr = 3, 0o100644 << 16
            archive.writestr(entry, text)
    return wheelhouse.item(path, stands_for=item.entry.file)


def _hashed(content: bytes) -> str:
    digest = base64.urlsafe_b64encode(hashlib.sha256(content).digest()).rstrip(b"=").decode()
    return f"sha256={digest},{len(content)}"
