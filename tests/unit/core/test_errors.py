from __future__ import annotations

from kiln.core import UsageError


def test_an_error_is_one_sentence_of_place_fault_and_cure_and_then_its_detail() -> None:
    error = UsageError("no such key", "remove it", where="recipe.yaml:3", detail="  the line")
    assert str(error) == "recipe.yaml:3: no such key: remove it\n  the line"
    assert error.sentence == "recipe.yaml:3: no such key: remove it"
    assert (error.what, error.where, error.cure) == ("no such key", "recipe.yaml:3", "remove it")


def test_an_error_has_only_the_parts_that_are_given() -> None:
    assert str(UsageError("it is wrong")) == "it is wrong"
    assert str(UsageError("it is wrong", detail="why")) == "it is wrong\nwhy"
