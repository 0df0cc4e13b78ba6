"""JSON Schemas of the YAML files, made from the dataclasses that read them, for editors to check and complete."""

from __future__ import annotations

import copy
import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from kiln import build, index, lock, models, recipe, shared, sources
from kiln.commands import matrix
from kiln.core import Console, DifferenceError

FOLDER = Path("schemas")
# The line in a file that names its schema, relative to the file: the language server of YAML reads it.
COMMENT = "# yaml-language-server: $schema="
# A text in a recipe in which values of the release stand in braces.
FILLED = {"type": "string", "pattern": r"\{[A-Za-z0-9_]+\}"}
SCALAR = {"anyOf": [{"type": "boolean"}, {"type": "integer"}, {"type": "string"}]}
CONDITIONS = {
    "type": "object",
    "description": "the conditions under which this counts: on release, device, python, base, glibc or an option",
    "additionalProperties": {"anyOf": [*SCALAR["anyOf"], {"type": "array", "items": SCALAR}]},
}

Schema = dict[str, Any]


@dataclass(frozen=True)
class Kind:
    """One kind of file: the dataclass that reads it, and where such files are. A `generated` one is edited by nobody.

    Items of lists in a `conditional` file may have conditions on the release, and in a `filled` one values of it in texts.
    """

    name: str
    type: Any
    files: tuple[str, ...]
    conditional: bool = False
    filled: bool = False
    generated: bool = False


def kinds() -> tuple[Kind, ...]:
    """Every kind of YAML file that Kiln reads."""
    return (
        Kind("recipe", recipe.Recipe, ("recipes/*/recipe.yaml", "recipes/*/*/recipe.yaml"), True, True),
        Kind(
            "sources",
            recipe.SourceList,
            (
                "recipes/shared/*.yaml",
                "recipes/cuda/*/*.yaml",
                "layers/export/sources.yaml",
            ),
            True,
        ),
        Kind(
            "sources-lock",
            recipe.LockFile,
            ("recipes/*/sources.lock.yaml", "recipes/*/*/sources.lock.yaml"),
            True,
            generated=True,
        ),
        Kind("lock", lock.LockSettings, ("recipes/*/lock.yaml", "recipes/*/*/lock.yaml"), True),
        Kind("external-licenses", lock.ExternalLicenses, ("recipes/*/licenses.yaml",)),
        Kind("verified", recipe.Verified, ("recipes/*/verified.yaml", "recipes/*/*/verified.yaml")),
        Kind("platforms", recipe.platforms.Platforms, ("recipes/platforms.yaml",)),
        Kind("cures", build.diagnosis.Cures, ("recipes/*/cures.yaml",)),
        Kind("toolkit", recipe.cuda.Toolkit, ("recipes/cuda/*/toolkit.yaml",)),
        Kind("licences", sources.licences.LicenceList, ("recipes/cuda/licences.yaml",)),
        Kind("base", recipe.Base, ("recipes/bases/*/base.yaml",)),
        Kind("base-lock", recipe.BaseLock, ("recipes/bases/*/lock.yaml",), generated=True),
        Kind("packages", recipe.bases.ToolchainPackages, ("docker/*/packages.yaml",)),
        Kind("series", recipe.PatchList, ("patches/*/series.yaml", "patches/*/*/series.yaml"), True, True),
        Kind("checkout-patch", models.codepatch.CodePatch, ("patches/checkouts/*/patch.yaml",)),
        Kind("matrix", matrix.Matrix, ("ci/matrix.yaml",)),
        Kind("config", shared.Config, ("ci/farm/config.yaml",)),
        Kind("sets", index.Sets, ("requirements/sets.yaml",)),
        Kind("known-bad", models.onnx.Refused, ("layers/export/known-bad.yaml",)),
    )


def files(root: Path) -> dict[Path, Kind]:
    """The YAML files of a repository that Kiln reads, each with its kind: the one whose pattern is the most exact."""
    found: dict[Path, Kind] = {}
    patterns = [(pattern, kind) for kind in kinds() for pattern in kind.files]
    for pattern, kind in sorted(patterns, key=lambda each: -each[0].count("*")):
        found.update(dict.fromkeys(sorted(root.glob(pattern)), kind))
    return found


def reference(path: Path, kind: Kind, root: Path) -> str:
    """The comment in a file that names its schema."""
    up = "../" * (len(path.relative_to(root).parts) - 1)
    return f"{COMMENT}{up}{FOLDER}/{kind.name}.json"


def run(root: Path, check: bool, console: Console) -> None:
    """Write the schemas of all kinds; with `check` write nothing, and raise DifferenceError where one would change."""
    wanted = {root / FOLDER / f"{kind.name}.json": text(kind) for kind in kinds()}
    stale = sorted(set((root / FOLDER).glob("*.json")) - set(wanted))
    changed = [
        path for path, content in wanted.items() if not path.exists() or path.read_text("utf-8") != content
    ]
    if check and (stale or changed):
        names = ", ".join(path.name for path in (*changed, *stale))
        raise DifferenceError(
            f"these schemas are not those of the dataclasses: {names}", "run `./inv schemas`"
        )
    (root / FOLDER).mkdir(exist_ok=True)
    for path in changed:
        path.write_text(wanted[path], encoding="utf-8")
    for path in stale:
        path.unlink()
    console.note(f"{len(wanted)} schemas in {FOLDER}, {len(changed)} written, {len(stale)} removed")


def text(kind: Kind) -> str:
    """The schema of a kind as its file has it."""
    return json.dumps(schema(kind), indent=1, sort_keys=True, ensure_ascii=False) + "\n"


def schema(kind: Kind) -> Schema:
    """What a file of a kind may have: what its dataclass has, in the forms in which the reader takes it."""
    from pydantic import TypeAdapter

    made: Schema = TypeAdapter(kind.type).json_schema()
    changes: list[Callable[[Schema], None]] = [_readable]
    changes += [_conditional] if kind.conditional else []
    changes += [_filled] if kind.filled else []
    for change in changes:
        for each in list(_objects(made)):
            change(each)
    if kind.type is recipe.Recipe:
        made = _with_releases(made)
    return {"$schema": "https://json-schema.org/draft/2020-12/schema", "title": kind.name, **made}


def _objects(value: Any) -> Iterator[Schema]:
    """Every schema in a schema, the innermost first."""
    for each in value.values() if isinstance(value, dict) else value if isinstance(value, list) else ():
        yield from _objects(each)
    if isinstance(value, dict):
        yield value


def _readable(each: Schema) -> None:
    """No titles, which only repeat names; docstrings as one paragraph; and no origin that only a command line has."""
    if isinstance(each.get("title"), str):
        del each["title"]
    if isinstance(each.get("description"), str):
        each["description"] = " ".join(each["description"].split())
    if isinstance(each.get("oneOf"), list):
        each["oneOf"] = [one for one in each["oneOf"] if not str(one.get("$ref", "")).endswith("/FileOrigin")]
    properties = each.get("properties")
    for key in ("when", "unless"):
        if isinstance(properties, dict) and key in properties:
            # The reader makes a list of a single value.
            several = properties[key].get("type") == "array"
            own = copy.deepcopy(CONDITIONS)
            properties[key] = {"type": "array", "minItems": 1, "items": own} if several else own


def _conditional(each: Schema) -> None:
    if isinstance(each.get("properties"), dict) and each.get("type") == "object":
        each["properties"].setdefault("when", copy.deepcopy(CONDITIONS))


def _filled(each: Schema) -> None:
    """What has a form of its own, or is a number, may be a text with a value of the release in it."""
    formed = each.get("type") == "integer" or (
        each.get("type") == "string" and {"pattern", "enum"} & set(each)
    )
    if formed and each != FILLED:
        kept = {key: each.pop(key) for key in list(each) if key not in ("description", "default")}
        each["anyOf"] = [kept, dict(FILLED)]


def _with_releases(made: Schema) -> Schema:
    """A recipe's file: a table of releases, each of which may change the keys that the rest of the file has."""
    own = {name: each for name, each in made["properties"].items() if name not in ("version", "when")}
    parts = made["$defs"]["Variants"]["properties"]
    row = {name: each for name, each in own.items() if name not in ("name", "task")}
    row["variants"] = {"type": "object", "properties": parts, "additionalProperties": False}
    releases = {
        "type": "object",
        "description": "for each release the keys that it changes, and the values that the rest names in braces",
        "additionalProperties": {
            "type": "object",
            "properties": row,
            "additionalProperties": {"type": ["string", "integer"]},
        },
    }
    default = {"type": "string", "description": "the release that is built when none is named"}
    return {
        **{key: made[key] for key in ("type", "description", "additionalProperties", "$defs") if key in made},
        "properties": {**own, "releases": releases, "default": default},
        "required": ["name", "releases"],
    }
