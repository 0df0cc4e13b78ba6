"""The pages of an index: PEP 503 HTML and PEP 691 JSON for installers, and one page for people.

They depend on the entries alone, link to each other by relative paths, and contain no time and no host.
"""

from __future__ import annotations

import functools
import itertools
import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

from packaging.tags import Tag
from packaging.utils import parse_wheel_filename

from kiln.index.wheelhouse import Entry, project_and_version

if TYPE_CHECKING:
    from jinja2 import Environment

API = "1.1"
JSON = "application/vnd.pypi.simple.v1+json"
HTML = "application/vnd.pypi.simple.v1+html"


def all_of(entries: Iterable[Entry], sets: Sequence[str]) -> dict[str, str]:
    """Every page by its path; a page comes after those that it links to."""
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
    found["index.html"] = _html("landing.html", **_landing(projects, sets))
    return found


@dataclass(frozen=True)
class Row:
    """A wheel, as the page for people shows it."""

    entry: Entry
    python: str
    needs: str
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
    return {
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
    return Row(
        entry=entry,
        python=", ".join(sorted({_python(tag.interpreter) for tag in tags})),
        needs="; ".join(sorted({_platform(tag) for tag in tags})),
        link=f"files/{quote(entry.file)}",
        record=f"records/{quote(entry.file)}",
        requirement=f"{entry.project}=={entry.version.public if entry.is_default else entry.version}",
    )


def _python(interpreter: str) -> str:
    """`cp37` as Python 3.7."""
    digits = interpreter.lstrip("abcdefghijklmnopqrstuvwxyz")
    return f"{digits[0]}.{digits[1:]}" if len(digits) > 1 else f"{digits} (any)"


def _platform(tag: Tag) -> str:
    """What a machine needs for a platform tag."""
    parts = tag.platform.split("_", 3)
    if parts[0] == "manylinux" and len(parts) == 4:
        return f"{parts[3]}, glibc {parts[1]}.{parts[2]} or newer"
    return "any machine" if tag.platform == "any" else tag.platform


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
