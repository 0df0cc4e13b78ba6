"""Runs the smoke suite on a finished wheel, in a clean environment with nothing but the interpreter."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Protocol

from kiln.archive import Wheel
from kiln.build import Line
from kiln.core import Console, SmokeError, UsageError
from kiln.plan import ContainerStep, Plan
from kiln.recipe import Source
from kiln.smoke.report import PAGE, write_page
from kiln.smoke.results import REPORT, SmokeResult, read_results


class Place(Protocol):
    """Where a suite is run: containers, or a folder of this machine. The wheel is in its folder `out`."""

    @property
    def plan(self) -> Plan: ...
    @property
    def build(self) -> Path: ...
    @property
    def log(self) -> Path: ...
    def run(self, step: ContainerStep, line: Line, failure: type[SmokeError] = ...) -> None: ...


def needed_sources(plan: Plan) -> tuple[Source, ...]:
    """What a smoke run reads of a plan's sources; an interpreter's source where it has to be built first."""
    return tuple(source for source in plan.sources if source.is_file and _is_needed(source, plan))


def upstream_trees(plan: Plan) -> tuple[Source, ...]:
    """The source tree whose own tests can be run on the wheel; UsageError where the recipe names none."""
    recipe = plan.recipe
    if recipe.smoke.upstream is None:
        raise UsageError(
            f"the recipe {recipe.name} does not say how the tests of its source are run on a wheel",
            f"write {recipe.smoke.suite}/upstream.py, and name the tree as smoke.upstream",
        )
    return tuple(source for source in plan.sources if source.name == recipe.smoke.upstream)


def _is_needed(source: Source, plan: Plan) -> bool:
    pip = source.use == "build" and source.name == "pip"
    interpreter = plan.interpreter.kind == "source" and source.name == "cpython"
    return source.use in ("smoke", "tools") or pip or interpreter


def run_suite(
    place: Place, wheel: Wheel, console: Console, kept: str, about: Mapping[str, str]
) -> SmokeResult:
    """What the suite proved. `kept` says where the wheel and its reports are, `about` heads the page.

    Raises SmokeError that names the tests that failed, or says why none ran.
    """
    report = place.build / REPORT
    report.unlink(missing_ok=True)
    try:
        for step in place.plan.steps:
            if step.station == "smoke":
                with console.status(step.name) as line:
                    place.run(step, line, failure=SmokeError)
    except SmokeError as error:
        found = read_results(place.build) if report.exists() else None
        if found is None or not found.failures:
            raise error.adding(f"  {kept}") from error
        write_page(place.build / PAGE, found, wheel, about)
        names = [case.name for case in found.failures]
        shown = ", ".join(names[:5]) + (" ..." if len(names) > 5 else "")
        raise SmokeError(
            f"{len(names)} smoke test{'s' * (len(names) > 1)} failed on {wheel.path.name} ({shown})", kept
        ) from error
    found = read_results(place.build)
    if not found.count("passed"):
        raise SmokeError("no smoke test passed, none failed", f"see {place.log}; {kept}")
    _speed(place, console)
    found = read_results(place.build)
    write_page(place.build / PAGE, found, wheel, about)
    return found


def _speed(place: Place, console: Console) -> None:
    """The benchmark, which fails nothing: what is missing is only noted."""
    for step in place.plan.steps:
        if step.station == "speed":
            try:
                with console.status(step.name) as line:
                    place.run(step, line, failure=SmokeError)
            except SmokeError as error:
                console.note(f"the benchmark did not run: {error}")
