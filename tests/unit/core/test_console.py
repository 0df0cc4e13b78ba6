from __future__ import annotations

import io
import time
from collections.abc import Sequence

import pytest
import rich.console

from kiln.core.console import Console, duration


class Screen:
    def __init__(self, terminal: bool, times: Sequence[float] = ()) -> None:
        self.output = io.StringIO()
        clock = iter(times).__next__ if times else time.monotonic
        self.console = Console(
            rich.console.Console(
                file=self.output, force_terminal=terminal, width=100, highlight=False, color_system=None
            ),
            clock,
        )

    @property
    def lines(self) -> list[str]:
        return self.output.getvalue().splitlines()


@pytest.mark.parametrize(
    ("seconds", "expected"),
    [
        (0, "0.0 s"), (59.94, "59.9 s"), (59.97, "1 min 00 s"), (60, "1 min 00 s"), (3599.6, "1 h 00 min"),
        (3661, "1 h 01 min"),
    ],
)  # fmt: skip
def test_a_duration_is_told_as_people_do(seconds: float, expected: str) -> None:
    assert duration(seconds) == expected


def test_without_a_terminal_there_are_only_lines() -> None:
    screen = Screen(terminal=False)
    with screen.console.station("sources"), screen.console.transfers() as transfers:
        transfers.begin("x", 10)
        transfers.advance("x", 10)
        transfers.note("toy: a [red] mirror is down")
        transfers.end("x")
    with screen.console.steps("compile") as line, screen.console.status("wait") as other:
        line("[1/2] Building")
        line("no count")
        other("working")
    assert screen.lines[:2] == ["sources ...", "• toy: a [red] mirror is down"]
    assert screen.lines[2].startswith("✓ sources")
    assert len(screen.lines) == 3


def test_a_terminal_shows_how_transfers_and_steps_go() -> None:
    screen = Screen(terminal=True)
    with screen.console.transfers() as transfers:
        transfers.begin("toy[1].tar.gz", 1_000_000)
        transfers.advance("toy[1].tar.gz", 500_000)
        transfers.advance("never begun", 1)
        transfers.begin("toy[1].tar.gz", 1_000_000)
        transfers.end("never begun")
    with screen.console.steps("compile") as line:
        line("[12/345] Building [x] " + "y" * 100)
        line("more")
    shown = screen.output.getvalue()
    assert "toy[1].tar.gz" in shown
    assert "12/345" in shown


def test_a_long_step_says_now_and_then_how_far_it_is_where_there_is_no_bar() -> None:
    screen = Screen(
        terminal=False, times=[0.0, 1.0, *(60.0 * minute for minute in range(1, 21)), 1201.0, 7200.0]
    )
    with screen.console.steps("compile") as line:
        for text in (
            "[0 / 3,000] Compiling [a]",
            *(f"[{100 * minute:,} / 3,000] x" for minute in range(1, 21)),
            "linking",
            "[2,001 / 3,000] y",
            "[2,100 / 3,000] z",
        ):
            line(text)
    assert screen.lines[0] == "  compile 200/3,000 after 2 min 00 s"
    assert screen.lines[-2] == "  compile 2,000/3,000 after 20 min 00 s, about 10 min left"
    assert screen.lines[-1] == "  compile 2,100/3,000 after 2 h 00 min"


def test_the_time_of_a_station_that_failed_is_not_kept() -> None:
    screen = Screen(terminal=False)
    with pytest.raises(ValueError), screen.console.station("compile"):
        raise ValueError
    assert screen.console.times == {}
    assert screen.lines == ["compile ..."]


def test_what_is_printed_is_never_taken_for_markup() -> None:
    screen = Screen(terminal=False)
    screen.console.say("a [bold]b[/bold] [/] c")
    screen.console.note("[/]")
    assert screen.lines == ["a [bold]b[/bold] [/] c", "• [/]"]
