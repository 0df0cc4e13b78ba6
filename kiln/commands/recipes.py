"""`./inv recipes`: what can be built, with which choices, and how far each was seen to work."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import asdict
from typing import Any

from rich.markup import escape

from kiln.commands.printing import plain_table
from kiln.core import Console, UsageError, Value
from kiln.recipe import Catalogue, Option, Recipe, Run


def run(catalogue: Catalogue, name: str, json_wanted: bool) -> None:
    """Print all recipes, or one (NAME or NAME/RELEASE) with its options and recorded builds."""
    name, _, version = name.partition("/")
    if name and name not in catalogue.names():
        raise UsageError(f"there is no recipe {name!r}", f"choose one of {', '.join(catalogue.names())}")
    everything, problems = catalogue.every()
    releases = [each for each in everything if name in ("", each.name) and version in ("", each.version)]
    if version and not releases:
        catalogue.describe(name, version)
    console = Console.for_output()
    for problem in problems:
        Console().note(problem)
    if json_wanted:
        sys.stdout.write(to_json(catalogue, releases))
        return
    for each in dict.fromkeys(release.name for release in releases):
        _show(catalogue, [release for release in releases if release.name == each], console)
        if name:
            _show_options(catalogue.describe(each, version), console)
            _show_runs([run for release in releases for run in _runs(catalogue, release)], console)
    if not name:
        console.say("`./inv recipes NAME` shows a recipe's options, and each build that was recorded")


def to_json(catalogue: Catalogue, releases: Iterable[Recipe]) -> str:
    """Every release for programs: its variants, its options, and the recorded builds of it."""
    rows = [
        {
            "name": each.name,
            "release": each.version,
            "default": each.version == catalogue.default(each.name),
            "summary": each.summary,
            "command": f"./inv {each.task or f'build-{each.name}'}",
            "variants": asdict(each.variants),
            "options": [asdict(option) for option in each.options],
            "runs": [asdict(run) for run in _runs(catalogue, each)],
        }
        for each in releases
    ]
    return json.dumps(rows, indent=2, sort_keys=True) + "\n"


def _show(catalogue: Catalogue, releases: list[Recipe], console: Console) -> None:
    default = catalogue.describe(releases[0].name)
    console.say(f"{default.name}: {default.summary}; ./inv {default.task or f'build-{default.name}'}\n")
    table = plain_table("release", "device", "Python", "verified")
    for each in reversed(releases):
        mark = " (default)" if each.version == default.version else ""
        for number, device in enumerate(each.variants.device):
            runs = [run for run in _runs(catalogue, each) if run.device == device]
            row = (device, ", ".join(each.variants.python), verified(runs))
            table.add_row(f"{each.version}{mark}" if not number else "", *map(escape, row))
    console.table(table)
    console.say()


def verified(runs: Iterable[Run]) -> str:
    """How far a release was seen to work on one device: for which Pythons, and with which choices."""
    kinds = {
        "tested": [run for run in runs if run.state == "tested" and _plain(run) and not run.stand_ins],
        "tested with stand-ins": [run for run in runs if run.state == "tested" and _plain(run)],
        "tested with other options": [run for run in runs if run.state == "tested"],
        "compiled, not tested": [run for run in runs if run.state == "compiled"],
        "configured, not compiled": [run for run in runs if run.state == "analysed"],
    }
    told: set[str] = set()
    parts = []
    for text, found in kinds.items():
        new = sorted({python for run in found for python in run.python} - told, key=_number)
        told |= set(new)
        parts += [f"{text}: {', '.join(new)}"] if new else []
    return "; ".join(parts) or "not yet built"


def _show_options(recipe: Recipe, console: Console) -> None:
    table = plain_table("option", "default", "meaning")
    for option in recipe.options:
        meaning = option.help + (f" (for {_conditions(option)})" if option.when else "")
        table.add_row(f"--{option.name.replace('_', '-')}", escape(_text(option.default)), escape(meaning))
    console.table(table)
    console.say()


def _show_runs(runs: Iterable[Run], console: Console) -> None:
    table = plain_table("release", "device", "Python", "choices", "result", "recorded")
    for each in runs:
        row = (each.release, each.device, ", ".join(each.python), _choices(each), each.result, each.recorded)
        table.add_row(*map(escape, row))
    console.table(table)


def _runs(catalogue: Catalogue, recipe: Recipe) -> Iterator[Run]:
    known = catalogue.verified(recipe.name, recipe.version)
    return (each for each in known.runs if each.release == recipe.version)


def _plain(run: Run) -> bool:
    """Whether nothing but the release, the device and Python was chosen; for CUDA the GPUs may be."""
    chosen = {name for name in run.options if name != "cuda_arch"}
    return not (chosen or run.cpu_features or run.note)


def _choices(run: Run) -> str:
    """What was chosen, as a person types it."""
    features = [f"--cpu-features {run.cpu_features}"] if run.cpu_features else []
    given = [_given(name, value) for name, value in run.options.items()]
    return "; ".join(filter(None, (" ".join([*features, *given]), run.note)))


def _given(name: str, value: Value) -> str:
    name = name.replace("_", "-")
    if isinstance(value, bool):
        return f"--{name}" if value else f"--no-{name}"
    return f"--{name} {value}"


def _conditions(option: Option) -> str:
    when: Mapping[str, Any] = option.when
    return " and ".join(" or ".join(map(str, values)) for values in when.values())


def _text(value: Value) -> str:
    return ("yes" if value else "no") if isinstance(value, bool) else str(value) or '""'


def _number(version: str) -> tuple[int, ...]:
    return tuple(int(part) for part in version.split("."))
