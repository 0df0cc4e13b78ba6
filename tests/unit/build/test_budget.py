from __future__ import annotations

import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kiln.build import budget
from kiln.build.budget import Budget
from kiln.core.errors import BudgetError, UsageError


@pytest.mark.parametrize(
    ("text", "length"),
    [("5h", 18000), ("90m", 5400), ("3600s", 3600), ("1h30m", 5400), ("1h1m1s", 3661), ("0h5m", 300)],
)
def test_lengths_are_hours_minutes_and_seconds(text: str, length: int) -> None:
    assert budget.seconds(text) == length


@pytest.mark.parametrize(
    "text",
    ["5", "h", "5 h", " 5h", "5h ", "5h\n", "-5h", "1.5h", "5d", "5H", "30m1h", "5h5h", "0s", "0h0m", "٥h"],
)
def test_nonsense_is_refused_with_the_forms_that_are_understood(text: str) -> None:
    with pytest.raises(UsageError, match="such as 5h, 90m or 3600s"):
        budget.seconds(text)


@given(st.text(alphabet="0123456789hms .-", max_size=12))
def test_whatever_is_given_is_a_positive_length_or_refused(text: str) -> None:
    try:
        assert budget.seconds(text) > 0
    except UsageError as error:
        assert text in str(error)


@given(st.integers(0, 999), st.integers(0, 999), st.integers(1, 999))
def test_the_parts_of_a_length_add_up(hours: int, minutes: int, seconds: int) -> None:
    assert budget.seconds(f"{hours}h{minutes}m{seconds}s") == (hours * 60 + minutes) * 60 + seconds


def test_nothing_asked_for_is_no_budget() -> None:
    assert Budget.of("") is None


def test_a_budget_is_counted_from_the_start_of_the_process() -> None:
    before = time.monotonic()
    given = Budget.of("5h")
    assert given is not None
    # This process is older than this test.
    assert given.deadline < before + 5 * 3600


def test_only_what_ended_by_its_limit_after_the_deadline_was_stopped() -> None:
    over, under = Budget("1s", time.monotonic()), Budget("1h", time.monotonic() + 3600)
    assert over.left <= 0 < under.left <= 3600
    assert over.stopped(124) and over.stopped(137)
    assert not over.stopped(1) and not over.stopped(0)
    assert not under.stopped(124) and not under.stopped(137)


def test_the_exit_code_is_that_of_a_temporary_failure() -> None:
    assert BudgetError("").exit_code == 75
