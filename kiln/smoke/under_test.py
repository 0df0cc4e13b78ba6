"""The wheel that a smoke run is about, and what is known of it: by its plan, by itself, or by its name alone."""

from __future__ import annotations

import re
import zipfile
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

from packaging.utils import canonicalize_name
from packaging.version import Version
from pydantic import TypeAdapter, ValidationError

from kiln import archive
from kiln.archive import Wheel
from kiln.build import record
from kiln.core import STRICT, CompileError, Sha256, UsageError, Value
from kiln.plan import Request, Variant
from kiln.recipe import Catalogue, Recipe

STAMP = "kiln.json"


@dataclass(frozen=True)
class WheelUnderTest:
    """`request` is for the plan whose suite and packages fit the wheel; `key` is the build key that it must have.

    A wheel from elsewhere has none. `notes` say on what grounds the suite was chosen.
    """

    wheel: Wheel
    request: Request
    key: str
    origin: str
    notes: tuple[str, ...] = ()

    @property
    def foreign(self) -> bool:
        return not self.key


@dataclass(frozen=True)
class _Stamp:
    build_key: Sha256
    recipe: str
    version: str
    variant: Variant
    options: dict[str, Value]

    __pydantic_config__ = STRICT


def newest_wheel(dist: Path) -> Path:
    """The newest finished wheel under dist/; UsageError where there is none."""
    wheels = sorted(dist.glob("*/*/*/*.whl"), key=lambda path: path.stat().st_mtime)
    if not wheels:
        raise UsageError(f"there is no finished wheel under {dist}", "build one, or name a wheel's file")
    return wheels[-1]


def wheel_under_test(catalogue: Catalogue, path: Path, asked: Request) -> WheelUnderTest:
    """What is known of a wheel; `asked` overrides the recipe, and the interpreter.

    Raises UsageError where it is not a sound wheel, or no recipe's suite is for it.
    """
    try:
        found = archive.inspect_wheel(path)
    except CompileError as error:
        raise UsageError(error.what, "get it again, or name another", detail=error.detail) from error
    recorded = record.read(path.parent)
    if isinstance(recorded, record.Record):
        plan = recorded.plan
        prefix = Path(plan.interpreter).parent.parent if plan.kind == "prefix" else None
        request = Request(
            recipe=plan.recipe,
            release=plan.release,
            options=plan.options,
            python_prefix=asked.python_prefix or (str(prefix) if prefix and prefix.is_dir() else ""),
            **asdict(plan.variant),
        )
        return WheelUnderTest(found, request, plan.key, "built by Kiln; the plan lies beside it")
    stamp = _stamp(path)
    if stamp:
        request = Request(
            recipe=stamp["recipe"],
            release=stamp["version"],
            options=stamp["options"],
            python_prefix=asked.python_prefix,
            **stamp["variant"],
        )
        note = "no plan.json lies beside the wheel: the build key is what the wheel itself says"
        return WheelUnderTest(found, request, stamp["build_key"], "built by Kiln, as the wheel says", (note,))
    return _foreign(catalogue, found, asked)


def _foreign(catalogue: Catalogue, found: Wheel, asked: Request) -> WheelUnderTest:
    chosen, noted = _recipe(catalogue, found, asked)
    python = asked.python or _python(found) or chosen.variants.defaults.python
    named = {
        option.name: found.name
        for option in chosen.options
        if option.in_name is True and option.type == "str"
    }
    options = {**named, **asked.options}
    request = replace(asked, recipe=chosen.name, release=chosen.version, python=python, options=options)
    notes = (*noted, "not built by Kiln: what would be compared with a plan is skipped")
    return WheelUnderTest(found, request, "", "from elsewhere", notes)


def _stamp(path: Path) -> dict[str, Any] | None:
    """What a wheel says of the build that it came from; a wheel is hostile, so is what it says."""
    with zipfile.ZipFile(path) as archive:
        for name in archive.namelist():
            if re.fullmatch(rf"[^/]+\.dist-info/{re.escape(STAMP)}", name):
                try:
                    return asdict(TypeAdapter(_Stamp).validate_json(archive.read(name)))
                except ValidationError as error:
                    raise UsageError(
                        f"{path}: its {STAMP} is not one that Kiln wrote",
                        "leave the file out, or get the wheel again",
                    ) from error
    return None


def _recipe(catalogue: Catalogue, found: Wheel, asked: Request) -> tuple[Recipe, tuple[str, ...]]:
    """The recipe for a wheel's name and version, and notes on the choice."""
    if asked.recipe:
        return catalogue.describe(asked.recipe, asked.release), ()
    every, problems = catalogue.every()
    fitting = [each for each in every if _is_for(each, found.name)]
    if not fitting:
        raise UsageError(
            f"no recipe's suite is for a distribution named {found.name}",
            f"give --recipe, one of {', '.join(sorted({each.name for each in every}))}",
            detail="\n".join(problems),
        )
    release = Version(found.version).release
    same = [each for each in fitting if Version(each.version).release == release[: _length(each)]]
    if same:
        return max(same, key=_length), problems
    chosen = catalogue.describe(fitting[0].name)
    note = f"no recipe has version {found.version}: the suite is that of {chosen.version}"
    return chosen, (*problems, note)


def _length(each: Recipe) -> int:
    return len(Version(each.version).release)


def _is_for(each: Recipe, name: str) -> bool:
    names = each.smoke.distributions or (each.name,)
    return canonicalize_name(name) in map(canonicalize_name, names)


def _python(found: Wheel) -> str:
    """The version of the interpreter in the wheel's tags; nothing where it is for more than one."""
    tags = [re.match(r"cp(\d)(\d+)-cp", tag) for tag in found.tags]
    versions = {f"{match[1]}.{match[2]}" for match in tags if match}
    return versions.pop() if len(versions) == 1 else ""
