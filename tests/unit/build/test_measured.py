from __future__ import annotations

import json
from pathlib import Path

import pytest

from kiln.build import Measured, Meter, Span, read_measured
from kiln.build.measured import Step, Tool
from kiln.core import Console
from kiln.engine import Reading
from kiln.plan import ContainerStep

STEP = ContainerStep("compile", "compile", "scripts/compile.sh", "toolchain")
WHOLE = Measured(
    {"cores": "2"},
    (Span("plan", 0, 1), Span("compile", 1, 20), Span("smoke", 21, 4)),
    (
        Step("compile", "compile", 1, 20, ((0, 0, 1), (2, 3.5, 20.5))),
        Step("smoke", "smoke", 21, 4, (), "it ended before anything could be read"),
    ),
    Tool("ninja", 3, 30.5, (Span("a.o", 2, 9.5),)),
)


class Clock:
    def __init__(self) -> None:
        self.time = 100.0

    def __call__(self) -> float:
        return self.time


def test_steps_and_stations_are_measured_from_the_start_of_the_build(tmp_path: Path) -> None:
    clock = Clock()
    meter, console = Meter(clock, now=lambda: 5000.0), Console(clock=clock)
    clock.time = 101.0
    with console.station("compile"):
        clock.time = 102.0
        with meter.step(STEP) as usage:
            for at in (0, 2, 4):
                usage.add(Reading(at, at * 1.5, 10**7 * at))
            clock.time = 110.0
    (tmp_path / ".ninja_log").write_text("1000\t3000\t5006000000000\ta.o\tff\n")
    meter.take_actions(tmp_path)
    found = meter.measured(console, {"cores": "2"})
    assert found.stations == (Span("compile", 1, 9),)
    assert found.steps == (Step("compile", "compile", 2, 8, ((0, 0, 0), (2, 3, 20), (4, 6, 40))),)
    assert found.tool == Tool("ninja", 1, 2, (Span("a.o", 4, 2),))


def test_a_step_that_was_not_measured_says_why(tmp_path: Path) -> None:
    meter = Meter()
    with pytest.raises(KeyError), meter.step(STEP):
        raise KeyError
    (step,) = meter.steps
    assert step.usage == () and "does not show the container's control group" in step.why
    meter.take_actions(tmp_path)
    assert meter.tool is None


def test_what_was_measured_is_read_as_it_was_written() -> None:
    assert read_measured(WHOLE.to_json()) == WHOLE


LATE = {**json.loads(WHOLE.to_json()), "stations": [{"name": "x", "begun": "soon", "seconds": 1}]}


@pytest.mark.parametrize(
    "text",
    ["", "[]", "{}", '{"format": 2}', '{"format": 1, "machine": {}, "more": 1}', json.dumps(LATE)],
)
def test_what_is_of_another_form_is_not_read(text: str) -> None:
    assert read_measured(text) is None


def test_a_wheel_that_is_tested_again_keeps_the_measures_of_its_build() -> None:
    later = Measured(
        {"cores": "8"},
        (Span("plan", 0, 1), Span("toolchain", 1, 2), Span("smoke", 3, 5)),
        (Step("smoke", "smoke", 3, 5),),
    )
    again = WHOLE.tested_again(later)
    assert [(each.name, each.begun, each.seconds) for each in again.stations] == [
        ("plan", 0, 1), ("compile", 1, 20), ("smoke", 21, 5),
    ]  # fmt: skip
    assert [(each.name, each.begun, each.seconds) for each in again.steps] == [
        ("compile", 1, 20), ("smoke", 21, 5),
    ]  # fmt: skip
    assert (again.machine, again.tool) == (WHOLE.machine, WHOLE.tool)
