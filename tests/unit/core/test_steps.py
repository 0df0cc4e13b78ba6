from __future__ import annotations

import pytest

from kiln.core.progress import Count, Work
from kiln.core.steps import Step, View

VIEW = View(
    "compile",
    0.25,
    "25/100",
    65,
    "about 3 min left",
    ("1.2 GB of memory at most", "5 of 20 from the cache"),
    "Building a.o",
)


@pytest.mark.parametrize("width", range(1, 200, 7))
def test_a_row_is_never_wider_than_the_terminal(width: int) -> None:
    assert len(VIEW.row(width)) <= width


def test_what_matters_most_is_left_out_last() -> None:
    assert VIEW.row(160) == (
        "compile  ━━━━━━━───────────────────────  25/100  1 min 05 s  about 3 min left  1.2 GB of memory at most"
        "  5 of 20 from the cache  Building a.o"
    )
    assert "GB" in VIEW.row(90) and "cache" not in VIEW.row(90)
    assert VIEW.row(60) == "compile  ━━──────  25/100  1 min 05 s  about 3 min left"
    assert VIEW.row(46) == "compile  25/100  1 min 05 s  about 3 min left"
    assert VIEW.row(60, ascii_only=True) == "compile  ##------  25/100  1 min 05 s  about 3 min left"


def test_a_log_has_the_same_as_a_sentence() -> None:
    assert VIEW.sentence == (
        "  compile 25/100 after 1 min 05 s, about 3 min left, 1.2 GB of memory at most, 5 of 20 from the cache"
    )


class Known:
    def facts(self) -> tuple[str, ...]:
        return ("2 GB",)

    def work(self, latest: Count) -> Work:
        return Work(latest.done * 5, 950)


def test_a_step_knows_what_its_watch_knows_and_what_its_lines_say() -> None:
    now = [0.0]
    step = Step("compile", lambda: now[0], Known())
    assert step.view() == View("compile", None, "", 0, "", ("2 GB",), "")
    step.line("\x1b[1mreading\x1b[0m")
    assert step.view().detail == "reading"
    for second in range(0, 101, 10):
        now[0] = second
        step.line(f"[{second}/110] Building {second}.o")
    view = step.view()
    assert view.share == pytest.approx(500 / 950)
    assert (view.count, view.left, view.detail) == ("100/110", "about 2 min left", "Building 100.o")


def test_counts_in_the_lines_of_another_program_mean_nothing() -> None:
    step = Step("smoke", lambda: 0.0, counted=False)
    step.line("[1/2] x")
    assert (step.view().count, step.view().detail) == ("", "[1/2] x")
