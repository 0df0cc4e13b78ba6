from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kiln.core.progress import Count, Pace, Work, count, total


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
    for minute in range(61):
        pace.at(minute * 60, Count(minute, 100))
    assert pace.left(60 * 60) == pytest.approx(40 * 60)


def test_nothing_is_estimated_in_the_first_tenth() -> None:
    pace, estimates = Pace(0), {}
    for second in range(1000):
        pace.at(second, Count(second, 1000))
        estimates[second] = pace.left(second)
    assert {estimates[second] for second in range(100)} == {None}
    assert estimates[600] == pytest.approx(400)


# How far a real build of TensorFlow on two cores was, in seconds. Its end was in sight nowhere: at the pace of the last
# ten minutes it seemed to be 26 min and 3.9 h away, by turns.
UNEVEN = (
    (151, 274), (205, 560), (349, 820), (650, 1018), (952, 1104), (1256, 1225), (1561, 1474), (1864, 1733),
    (2020, 1994), (2204, 2250), (2490, 2507), (2794, 2751), (3094, 2885), (3399, 2971), (3660, 3022), (3960, 3058),
)  # fmt: skip


def test_where_the_end_moves_nothing_is_estimated() -> None:
    pace = Pace(0)
    pace.at(0, Count(0, 5114))
    estimates = []
    for now, done in UNEVEN:
        pace.at(now, Count(done, 5114))
        estimates.append(pace.left(now))
    assert estimates == [None] * len(UNEVEN)


def test_an_end_that_is_always_two_minutes_away_is_not_said() -> None:
    pace, done, estimates = Pace(0), 0.0, []
    for second in range(0, 1800, 10):
        pace.at(second, Count(int(done), 10_000))
        done += (10_000 - done) * 10 / 300  # the fewer there are, the longer each takes
        estimates.append(pace.left(second))
    assert estimates[60:] == [None] * len(estimates[60:])


def test_a_tool_that_finds_its_actions_on_the_way_is_measured_by_what_there_will_be() -> None:
    assert (total("kiln-total: 5114"), total("kiln-total: many"), total("[1/2] x")) == (5114, None, None)
    pace = Pace(0, expected=5000)
    pace.at(0, Count(0, 20))
    assert pace.at(10, Count(10, 30, "x")) == Count(10, 5000, "x")
    for second in range(20, 4001, 10):
        pace.at(second, Count(second, second + 20))
    assert pace.left(4000) == pytest.approx(1000)
    assert pace.at(4010, Count(5100, 5200)).total == 5200


def test_where_nobody_knows_how_much_there_is_nothing_is_estimated() -> None:
    pace = Pace(0, expected=total("kiln-total: unknown") or 0)
    pace.at(0, Count(0, 20))
    counted = pace.at(60, Count(1200, 1230, "x"))
    assert str(counted) == "1,200 done" and pace.left(60) is None and pace.share == 0


def test_another_count_from_the_beginning_is_another_pace() -> None:
    pace = Pace(0)
    pace.at(0, Count(0, 10))
    pace.at(1, Count(10, 10))
    pace.at(100, Count(0, 500))
    assert pace.left(100) is None
    for second in range(110, 501, 10):
        pace.at(second, Count(second - 100, 500))
    assert pace.left(500) == pytest.approx(100)


@given(st.lists(st.tuples(st.floats(0, 1000), st.integers(0, 100), st.integers(0, 100)), min_size=1))
def test_an_estimate_is_never_negative_and_a_share_never_more_than_all(
    steps: list[tuple[float, int, int]],
) -> None:
    pace, now = Pace(0), 0.0
    for passed, done, known in steps:
        now += passed
        pace.at(now, Count(done, known))
        left = pace.left(now)
        assert left is None or left >= 0
        assert 0 <= pace.share <= 1


def test_the_pace_is_that_of_the_work_where_that_is_known() -> None:
    pace = Pace(0)
    for second in range(0, 101, 10):
        # Nine of ten actions are quick, and the last one takes half of the time.
        pace.at(second, Count(min(9, second // 10), 10), Work(second, 190))
    assert pace.share == pytest.approx(100 / 190) and pace.left(100) == pytest.approx(90)
