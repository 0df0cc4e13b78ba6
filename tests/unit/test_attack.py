"""A few hostile inputs in every run of the tests; `./inv attack` makes more."""

from __future__ import annotations

import time

from tests.attack.__main__ import area_of, run
from tests.attack.areas import AREAS

SEED, TRIES = 1, 200


def test_hostile_inputs_end_well_or_in_an_error_that_a_person_can_read() -> None:
    done = dict(run(SEED, range(TRIES), time.monotonic() + 3600))
    assert {number: what for number, what in done.items() if what} == {}
    assert list(done) == list(range(TRIES))
    assert {area_of(number) for number in done} == set(AREAS)


def test_a_try_is_the_same_whenever_it_is_made() -> None:
    assert list(run(SEED, range(7, 8), time.monotonic() + 60)) == [(7, "")]
