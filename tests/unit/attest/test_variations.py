from __future__ import annotations

import pytest

from kiln.attest import VARIATIONS, choose
from kiln.core import UsageError


def test_all_are_chosen_unless_some_are_named() -> None:
    assert choose("", "") == tuple(VARIATIONS)
    assert choose("umask, paths", "") == ("paths", "umask")


def test_what_is_unwanted_is_left_out_of_all_and_of_those_that_are_named() -> None:
    assert set(choose("", "order,clock")) == set(VARIATIONS) - {"order", "clock"}
    assert choose("order,clock", "clock") == ("order",)


@pytest.mark.parametrize(
    ("vary", "no_vary", "option"), [("clocks", "", "--vary"), ("", "x,paths", "--no-vary")]
)
def test_a_name_that_is_not_a_variation_is_refused_with_those_that_are(
    vary: str, no_vary: str, option: str
) -> None:
    with pytest.raises(UsageError) as caught:
        choose(vary, no_vary)
    assert caught.value.what.startswith(f"{option} {(vary or 'x')} ")
    assert "paths" in caught.value.cure
