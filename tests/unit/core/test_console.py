from __future__ import annotations

import io
import threading

import pytest
import rich.console

from kiln.core.ci import GitHubLog, Log
from kiln.core.console import Console, duration


class Screen:
    def __init__(self, terminal: bool, log: Log | None = None) -> None:
        self.output = io.StringIO()
        self.console = Console(
            rich.console.Console(
                file=self.output, force_terminal=terminal, width=100, highlight=False, color_system=None
            ),
            log=log,
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


class File(io.StringIO):
    """A file that says when some text was written to it."""

    def __init__(self) -> None:
        super().__init__()
        self.awaited, self.written = "", threading.Event()

    def wait_for(self, text: str) -> None:
        self.awaited = text
        self.written.clear()
        assert self.written.wait(30)

    def write(self, text: str) -> int:
        if self.awaited and self.awaited in text:
            self.written.set()
        return super().write(text)


def test_what_takes_long_says_now_and_then_how_far_it_is_where_there_is_no_bar() -> None:
    file = File()
    console = Console(rich.console.Console(file=file, width=100), between=0.001)
    with console.steps("compile") as line:
        line("[2/3] x")
        file.wait_for("  compile 2/3 after")
    with console.transfers() as transfers:
        transfers.begin("toy.tar.gz", 2_000_000)
        transfers.advance("toy.tar.gz", 500_000)
        file.wait_for("toy.tar.gz (0.5 of 2.0 MB)")


def test_each_station_is_a_part_of_a_providers_log_also_one_that_fails() -> None:
    screen = Screen(terminal=False, log=GitHubLog())
    with pytest.raises(ValueError), screen.console.station("compile"):
        screen.console.say("  ::add-mask::x")
        raise ValueError
    with screen.console.station("wheel"):
        pass
    assert screen.lines[:4] == ["::group::compile", "  : :add-mask::x", "::endgroup::", "::group::wheel"]
    assert screen.lines[4] == "::endgroup::" and screen.lines[5].startswith("✓ wheel")


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
