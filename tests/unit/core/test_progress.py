from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kiln.core.progress import LATE, SOON, WINDOW, Count, Pace, count, total


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        ("[12/345] Building CXX object a.o", Count(12, 345, "Building CXX object a.o")),
        ("[1,234 / 5,678] Compiling x.cc; 3s", Count(1234, 5678, "Compiling x.cc; 3s")),
        ("  [3/3] Linking", Count(3, 3, "Linking")),
        ("[0 / 4] [Prepa] BazelWorkspaceStatusAction", Count(0, 4, "[Prepa] BazelWorkspaceStatusAction")),
        ("[5,678 / 5,678] 2 actions running", Count(5678, 5678, "2 actions running")),
        ("[see 1/2] x", None),
        ("[,/,] x", Count(0, 0, "x")),
        ("building [1/2]", None),
        ("Loading: 0 packages loaded", None),
        ("", None),
    ],
)  # fmt: skip
def test_the_progress_of_ninja_and_bazel_is_read(line: str, expected: Count | None) -> None:
    assert count(line) == expected


@given(
    st.integers(0, 10**6),
    st.integers(0, 10**6),
    st.text(st.characters(exclude_categories=["Cc", "Zs", "Zl", "Zp"])),
)
def test_what_ninja_and_bazel_write_of_one_state_is_one_count(done: int, total: int, rest: str) -> None:
    assert (
        count(f"[{done}/{total}] {rest}")
        == count(f"[{done:,} / {total:,}] {rest}")
        == Count(done, total, rest)
    )


def test_the_rest_takes_as_long_as_it_did_lately() -> None:
    pace = Pace(0)
    pace.at(0, Count(0, 1000))
    assert pace.left(0) is None
    pace.at(10, Count(500, 1000))  # out of a cache
    assert pace.left(10) == pytest.approx(10)
    for minute in range(1, 21):
        pace.at(10 + minute * 60, Count(500 + minute, 1000))
    assert pace.left(10 + 20 * 60) == pytest.approx(480 * 60)


def test_a_tool_that_finds_its_actions_on_the_way_is_measured_by_what_there_will_be() -> None:
    assert (total("kiln-total: 5114"), total("kiln-total: many"), total("[1/2] x")) == (5114, None, None)
    pace = Pace(0, expected=5000)
    pace.at(0, Count(0, 20))
    assert pace.at(10, Count(10, 30, "x")) == Count(10, 5000, "x")
    assert pace.left(10) == pytest.approx(4990)
    assert pace.at(20, Count(5100, 5200)).total == 5200


def test_where_nobody_knows_how_much_there_is_nothing_is_estimated() -> None:
    pace = Pace(0, expected=total("kiln-total: unknown") or 0)
    pace.at(0, Count(0, 20))
    counted = pace.at(60, Count(1200, 1230, "x"))
    assert str(counted) == "1,200 done" and pace.left(60) is None
    assert not pace.due(60) and pace.due(LATE)


def test_another_count_from_the_beginning_is_another_pace() -> None:
    pace = Pace(0)
    pace.at(0, Count(0, 10))
    pace.at(1, Count(10, 10))
    pace.at(100, Count(0, 50))
    assert pace.left(100) is None
    pace.at(110, Count(10, 50))
    assert pace.left(110) == pytest.approx(40)


@given(st.lists(st.tuples(st.floats(0, 1000), st.integers(0, 100), st.integers(0, 100)), min_size=1))
def test_an_estimate_is_never_negative_and_lines_are_never_close(steps: list[tuple[float, int, int]]) -> None:
    pace, now, told = Pace(0), 0.0, [0.0]
    for passed, done, known in steps:
        now += passed
        pace.at(now, Count(done, known))
        left = pace.left(now)
        assert left is None or left >= 0
        if pace.due(now):
            told.append(now)
    assert all(after - before >= SOON for before, after in zip(told, told[1:]))


def test_a_step_that_hardly_moves_is_heard_of_all_the_same() -> None:
    pace = Pace(0)
    pace.at(1, Count(1, 10_000))
    assert not pace.due(1) and not pace.due(SOON + 1)
    assert pace.due(LATE) and not pace.due(LATE + 1)
    assert WINDOW > LATE
