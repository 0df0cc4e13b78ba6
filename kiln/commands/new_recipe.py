"""`./inv new-recipe`: the files of a recipe that is read without a mistake, and what is left to fill in."""

from __future__ import annotations

import calendar
import email.parser
import re
import tarfile
import tempfile
import zipfile
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime, timezone
from pathlib import Path

from pydantic import TypeAdapter, ValidationError

from kiln import archive
from kiln.commands.printing import short_path
from kiln.core import Console, Name, UsageError, sha256_of, shown
from kiln.recipe import EARLIEST, LATEST, Catalogue

SCAFFOLDS = Path(__file__).with_name("scaffolds")
MARK = "fill in: "
# What stands for a hash that nobody knows yet.
UNKNOWN = "0" * 64

BAZEL = """
  # fill in: the Bazel that the workspace needs; then generate the lock of its externals (docs/locks.md)
  - name: bazel
    sha256: 6c50e142a0a405d3d8598050d6c1b3920c8cdb82a7ffca6fc067cb474275148f
    license: Apache-2.0
    filename: bazel-0.26.1-linux-x86_64
    origins:
      - url: https://github.com/bazelbuild/bazel/releases/download/0.26.1/bazel-0.26.1-linux-x86_64
        sha256: 6c50e142a0a405d3d8598050d6c1b3920c8cdb82a7ffca6fc067cb474275148f
"""
LOCK = """\
# yaml-language-server: $schema=../../schemas/lock.json
# How sources.lock.yaml is made: `./inv lock {name}` (docs/locks.md).
reader: bazel
trees: [{name}]
"""


@dataclass(frozen=True)
class Kind:
    """How a product is built: in the image of a toolchain that there is, with further shared sources."""

    image: str
    include: str = ""
    sources: str = ""
    files: tuple[str, ...] = ()


KINDS = {
    "setup": Kind("opencv", ", shared/setuptools.yaml"),
    "cmake": Kind("opencv", files=("pack.py",)),
    "bazel": Kind("tensorflow", sources=BAZEL),
}


def run(root: Path, name: str, kind: str, given: Path | None, console: Console) -> None:
    """Write the files of a recipe for a product of a kind, with what the archive `given` says of it.

    Raises UsageError for a name that cannot be one or is taken, and where the archive cannot be read.
    """
    try:
        TypeAdapter(Name).validate_python(name)
    except ValidationError as error:
        raise UsageError(f"{name!r} is not a name", "use small letters, digits and dashes") from error
    if kind not in KINDS:
        raise UsageError(f"there is no kind {kind!r}", f"give --kind with one of {', '.join(KINDS)}")
    written = {root / path: text for path, text in files(name, kind, facts(name, given)).items()}
    for path in written:
        if path.exists():
            raise UsageError(f"{short_path(path)} is there already", "choose another name, or remove it")
    for path, text in written.items():
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")
        console.say(f"written  {short_path(path)}")
    # What was written is read as every recipe is.
    Catalogue(root).load(name)
    for place, what in marks(written):
        console.note(f"{place}: {what}")
    folder = f" --folder {given.parent}" if given else ""
    console.say(
        f"then     ./inv fetch {name}{folder}, ./inv plan {name}, ./inv build-{name} (docs/recipes.md)"
    )


def files(name: str, kind: str, known: Mapping[str, str]) -> dict[str, str]:
    """The text of each file of a recipe, by its path in a repository."""
    chosen = KINDS[kind]
    values = {**known, "image": chosen.image, "include": chosen.include, "sources": chosen.sources}

    def filled(scaffold: str) -> str:
        text = (SCAFFOLDS / scaffold).read_text(encoding="utf-8")
        return re.sub(r"@([a-z0-9_]+)@", lambda found: values[found[1]], text)

    return {
        f"recipes/{name}/recipe.yaml": filled("recipe.yaml"),
        **({f"recipes/{name}/lock.yaml": LOCK.format(name=name)} if kind == "bazel" else {}),
        f"docker/{name}/packages.yaml": filled("packages.yaml"),
        f"docker/{name}/build.sh": filled(f"{kind}.sh"),
        **{f"docker/{name}/{each}": filled(f"{each}.txt") for each in chosen.files},
        f"smoke/{name}/test_{name.replace('-', '_')}.py": filled("test.py.txt"),
    }


def facts(name: str, given: Path | None) -> dict[str, str]:
    """What a recipe says of its release: of the archive `given`, or what stands for it and is to be filled in."""
    module = re.sub(r"[^a-z0-9]", "_", name)
    values = {
        "name": name, "module": module, "module_why": f"{MARK}all that the wheel installs at its top, and is imported",
        "summary": f'"{name} {{release}}"     # {MARK}what it is, in a few words',
        "homepage": f"https://example.org/     # {MARK}its page", "license": f"MIT     # {MARK}its SPDX expression",
        "release": "1.0", "sha256": UNKNOWN, "sha256_why": f"     # {MARK}the sha256 of the archive",
        "tree": UNKNOWN, "tree_why": f"     # {MARK}the digest of the folder in it: a build says which it has",
        "epoch": "1577836800", "epoch_why": f"{MARK}the day of the release, in seconds since 1970",
        "origin": f'      # {MARK}where the archive is\n      - {{url: "https://example.org/{name}-{{release}}.tar.gz", '
        f'sha256: "{{archive}}", member: "{name}-{{release}}"}}',
    }  # fmt: skip
    if given:
        values |= _of_archive(given)
    return values


def _of_archive(given: Path) -> dict[str, str]:
    if not given.is_file():
        raise UsageError(f"{given} is not a file", "name a source archive")
    try:
        with tempfile.TemporaryDirectory() as folder:
            unpacked = Path(folder, "tree")
            archive.unpack(given, unpacked)
            inside = list(unpacked.iterdir())
            if len(inside) != 1 or not inside[0].is_dir():
                raise UsageError(f"{given} does not have one folder at its top", "give a source archive")
            tree = archive.tree_digest(inside[0])
            newest = _newest(given)
            about = inside[0] / "PKG-INFO"
            text = about.read_text(encoding="utf-8", errors="replace") if about.is_file() else ""
            member = inside[0].name
    except OSError as error:
        raise UsageError(f"{given} cannot be read ({error.strerror})", "name a source archive") from error
    head = email.parser.HeaderParser().parsestr(text)
    said = {key: shown(str(head[key])).splitlines()[0] for key in head if head[key]}
    values = {
        "sha256": sha256_of(given),
        "sha256_why": "",
        "tree": tree,
        "tree_why": "",
        "epoch": str(newest),
        "epoch_why": f"{datetime.fromtimestamp(newest, timezone.utc):%Y-%m-%d}, its newest file's",
        "release": said.get("Version", "") or member.rpartition("-")[2],
    }
    for value, key in (("summary", "Summary"), ("homepage", "Home-page"), ("license", "License")):
        # setuptools writes UNKNOWN for what a project does not say.
        if said.get(key, "UNKNOWN") != "UNKNOWN" and len(said[key]) < 100:
            values[value] = _quoted(said[key])
    file, size = given.name, given.stat().st_size
    if said.get("Name"):
        values["origin"] = (
            f'      - {{pypi: {said["Name"]}, file: {_quoted(file)}, sha256: "{{archive}}", size: {size}, '
            f"member: {_quoted(member)}}}"
        )
    else:
        values["origin"] = (
            f"      # {MARK}where the archive is\n"
            f'      - {{url: "https://example.org/{file}", sha256: "{{archive}}", size: {size}, '
            f"member: {_quoted(member)}}}"
        )
    return values


def _newest(given: Path) -> int:
    """When the newest file of an archive was changed, in seconds since 1970, as far as a wheel can say it."""
    if zipfile.is_zipfile(given):
        with zipfile.ZipFile(given) as packed:
            moments = [calendar.timegm((*each.date_time, 0, 0, 0)) for each in packed.infolist()]
    else:
        with tarfile.open(given) as packed_too:
            moments = [int(each.mtime) for each in packed_too if each.isfile()]
    return min(max(EARLIEST, *moments), LATEST - 1)


def _quoted(text: str) -> str:
    escaped = text.replace("\\", "\\\\").replace('"', '\\"').replace("{", "(").replace("}", ")")
    return f'"{escaped}"'


def marks(written: Mapping[Path, str]) -> Iterator[tuple[str, str]]:
    """Each place that is to be filled in, with what."""
    for path, text in written.items():
        for number, line in enumerate(text.splitlines(), 1):
            if MARK in line:
                yield f"{short_path(path)}:{number}", line.partition(MARK)[2]
