"""Runs the smoke suite on a finished wheel, in a clean container with nothing but the interpreter."""

from __future__ import annotations

import xml.etree.ElementTree as ElementTree
from dataclasses import dataclass
from pathlib import Path

from kiln.console import Console
from kiln.errors import SmokeError
from kiln.workspace import Workspace


@dataclass(frozen=True)
class Outcome:
    """The counts of a smoke run; `failures` are the names of the tests that failed."""

    report: Path
    passed: int
    skipped: int
    failures: tuple[str, ...]


def run(workspace: Workspace, console: Console) -> Outcome:
    """The suite's outcome; SmokeError names the tests that failed, or why none ran."""
    report = workspace.build / "smoke.xml"
    report.unlink(missing_ok=True)
    try:
        for step in workspace.plan.steps:
            if step.station == "smoke":
                with console.status(step.name) as line:
                    workspace.run(step, line, failure=SmokeError)
    except SmokeError as error:
        outcome = read(report) if report.exists() else None
        if outcome is None or not outcome.failures:
            raise
        names = ", ".join(outcome.failures[:5]) + (" ..." if len(outcome.failures) > 5 else "")
        raise SmokeError(
            f"{len(outcome.failures)} smoke tests failed on the wheel just built ({names}): "
            f"read why in {workspace.log}, the wheel is in {workspace.out}"
        ) from error
    outcome = read(report)
    if not outcome.passed:
        raise SmokeError(f"no smoke test passed, none failed: see {workspace.log}")
    return outcome


def read(report: Path) -> Outcome:
    """The counts in a JUnit report that our own container wrote; SmokeError where it cannot be read."""
    try:
        cases = list(ElementTree.parse(report).iter("testcase"))  # noqa: S314
    except (OSError, ElementTree.ParseError) as error:
        raise SmokeError(
            f"the smoke run left no readable report at {report} ({error}): run it again"
        ) from error
    failed = [case for case in cases if case.find("failure") is not None or case.find("error") is not None]
    skipped = [case for case in cases if case.find("skipped") is not None]
    return Outcome(
        report=report,
        passed=len(cases) - len(failed) - len(skipped),
        skipped=len(skipped),
        failures=tuple(f"{case.get('classname')}.{case.get('name')}" for case in failed),
    )
