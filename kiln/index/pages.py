"""The pages of an index: PEP 503 HTML and PEP 691 JSON for installers, and one page for people.

They depend on the entries alone, link to each other by relative paths, and contain no host but the one that feeds are
given, and no time but those of the records.
"""

from __future__ import annotations

import base64
import functools
import hashlib
import itertools
import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

from packaging.tags import Tag
from packaging.utils import parse_wheel_filename

from kiln.index import feeds
from kiln.index.wheelhouse import SHOWN, Entry, project_and_version

if TYPE_CHECKING:
    from jinja2 import Environment
    from markupsafe import Markup

API = "1.1"
JSON = "application/vnd.pypi.simple.v1+json"
HTML = "application/vnd.pypi.simple.v1+html"
# What a wheel says that is for every version of a Python.
ANY = "(any)"


def all_of(entries: Iterable[Entry], sets: Sequence[str], address: str = "") -> dict[str, str]:
    """Every page by its path; a page comes after those that it links to. Feeds link below `address`."""
    entries = tuple(entries)
    projects = {name: tuple(group) for name, group in itertools.groupby(entries, lambda entry: entry.project)}
    found: dict[str, str] = {}
    for name, group in projects.items():
        found[f"simple/{name}/index.json"] = _json(_project(name, group))
        found[f"simple/{name}/index.html"] = _html(
            "project.html", name=name, api=API, files=[_file(entry) for entry in group]
        )
    root = {"meta": {"api-version": API}, "projects": [{"name": name} for name in projects]}
    found["simple/index.json"] = _json(root)
    found["simple/index.html"] = _html("simple.html", api=API, names=list(projects))
    found.update(feeds.all_of(entries, address))
    found["index.html"] = _html("landing.html", **_landing(projects, sets))
    return found


@dataclass(frozen=True)
class Row:
    """A wheel, as the page for people shows it; `pythons`, `glibc` and `text` are what it is found by."""

    entry: Entry
    python: str
    pythons: str
    needs: str
    glibc: str
    text: str
    link: str
    record: str
    requirement: str


def _project(name: str, entries: Sequence[Entry]) -> dict[str, Any]:
    return {
        "meta": {"api-version": API},
        "name": name,
        "versions": list(dict.fromkeys(str(entry.version) for entry in entries)),
        "files": [_file(entry) for entry in entries],
    }


def _file(entry: Entry) -> dict[str, Any]:
    metadata = {"sha256": entry.metadata} if entry.metadata else False
    return {
        "filename": entry.file,
        # The plus sign of a local version means a space to some hosts.
        "url": f"../../files/{quote(entry.file)}",
        "hashes": {"sha256": entry.sha256},
        "size": entry.size,
        "core-metadata": metadata,
        "dist-info-metadata": metadata,
        **({"requires-python": entry.requires_python} if entry.requires_python else {}),
    }


def _landing(projects: dict[str, tuple[Entry, ...]], sets: Sequence[str]) -> dict[str, Any]:
    built = {
        name: [_row(entry) for entry in sorted(group, key=_order) if entry.built]
        for name, group in projects.items()
    }
    rows = [row for group in built.values() for row in group]
    style, script = (_own(name) for name in ("landing.css", "landing.js"))
    return {
        "style": style,
        "script": script,
        "style_hash": _hash(style),
        "script_hash": _hash(script),
        "evidence": SHOWN,
        "pythons": _numbers(each for row in rows for each in row.pythons.split()),
        "devices": sorted({row.entry.built.device for row in rows if row.entry.built}),
        "glibcs": _numbers(row.glibc for row in rows if row.glibc),
        "projects": {name: rows for name, rows in built.items() if rows},
        "stand_ins": {
            name: sorted({project_and_version(entry.stands_for)[0] for entry in group if entry.stands_for})
            for name, group in projects.items()
            if any(entry.stands_for for entry in group)
        },
        "others": [name for name, group in projects.items() if not any(entry.is_own for entry in group)],
        "sets": sets,
    }


def _order(entry: Entry) -> tuple[Any, ...]:
    """The newest release first; of one release the default, then the variants by name; the newest Python first."""
    release = tuple(-part for part in entry.version.release)
    python = entry.built.python if entry.built else ""
    newest = tuple(-int(part) for part in python.split(".") if part.isdigit())
    return release, not entry.is_default, entry.version.local or "", newest, entry.file


def _row(entry: Entry) -> Row:
    _, _, _, tags = parse_wheel_filename(entry.file)
    built = entry.built
    pythons = sorted({_python(tag.interpreter) for tag in tags})
    about = (*built.choices, built.device, built.base, built.cpu_features) if built else ()
    return Row(
        entry=entry,
        glibc=min((_glibc(tag) for tag in tags), key=_number, default=""),
        text=" ".join((entry.file, str(entry.version), *about)).lower(),
        python=", ".join(pythons),
        pythons="" if any(ANY in each for each in pythons) else " ".join(pythons),
        # An older name of a platform stands beside the one with a number.
        needs="; ".join(sorted({_platform(tag) for tag in [each for each in tags if _glibc(each)] or tags})),
        link=f"files/{quote(entry.file)}",
        record=f"records/{quote(entry.file)}",
        requirement=f"{entry.project}=={entry.version.public if entry.is_default else entry.version}",
    )


def _python(interpreter: str) -> str:
    """`cp37` as Python 3.7."""
    digits = interpreter.lstrip("abcdefghijklmnopqrstuvwxyz")
    return f"{digits[0]}.{digits[1:]}" if len(digits) > 1 else f"{digits} {ANY}"


def _platform(tag: Tag) -> str:
    """What a machine needs for a platform tag."""
    parts = tag.platform.split("_", 3)
    if parts[0] == "manylinux" and len(parts) == 4:
        return f"{parts[3]}, glibc {parts[1]}.{parts[2]} or newer"
    return "any machine" if tag.platform == "any" else tag.platform


def _glibc(tag: Tag) -> str:
    """The glibc that a platform tag asks for; empty where it asks for none, or for one without a number."""
    parts = tag.platform.split("_", 3)
    return f"{parts[1]}.{parts[2]}" if parts[0] == "manylinux" and len(parts) == 4 else ""


def _number(version: str) -> tuple[int, ...]:
    """A version for sorting; one that is empty, or is no number, comes last."""
    parts = version.split(".")
    return tuple(map(int, parts)) if all(part.isdigit() for part in parts) else (1 << 30,)


def _numbers(versions: Iterable[str]) -> list[str]:
    """Versions, each once, the newest first."""
    return sorted(set(versions), key=_number, reverse=True)


def _own(name: str) -> Markup:
    """A file of Kiln's own that goes into a page as it is."""
    from markupsafe import Markup

    return Markup((Path(__file__).parent / "templates" / name).read_text(encoding="utf-8"))  # noqa: S704


def _hash(text: str) -> str:
    """What allows a text as a style or script of a page, in its Content-Security-Policy."""
    return "sha256-" + base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()


def _json(value: Any) -> str:
    return json.dumps(value, indent=1, sort_keys=True) + "\n"


def _html(template: str, **values: Any) -> str:
    return _templates().get_template(template).render(**values) + "\n"


@functools.cache
def _templates() -> Environment:
    from jinja2 import Environment, PackageLoader, StrictUndefined

    return Environment(
        loader=PackageLoader("kiln.index"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
