"""Conditions: the facts of a build under which a part of a recipe counts."""

from __future__ import annotations

from collections.abc import Mapping
from fnmatch import fnmatchcase
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from kiln.core import Value


def holds(when: Mapping[str, tuple[Value, ...]], facts: Mapping[str, Value]) -> bool:
    """Whether every condition holds: `facts` are the variant's axes, the options' values, and the base's glibc."""
    return all(any(fits(facts.get(key), value) for value in values) for key, values in when.items())


def fits(fact: Value | None, value: Value) -> bool:
    """Whether a fact is a value, has its form ("*videoio*"), or is a version in its range (">=2.30").

    What is not a version is in no range.
    """
    if isinstance(fact, str) and isinstance(value, str) and "*" in value:
        return fnmatchcase(fact, value)
    if isinstance(fact, str) and is_range(value):
        from packaging.specifiers import SpecifierSet
        from packaging.version import InvalidVersion, Version

        try:
            return Version(fact) in SpecifierSet(str(value))
        except InvalidVersion:
            return False
    return fact == value


def is_range(value: object) -> bool:
    """Whether a value is meant as a range of versions."""
    return isinstance(value, str) and value[:1] in ("<", ">")


def is_sound_range(value: object) -> bool:
    """Whether a range of versions can be read."""
    from packaging.specifiers import InvalidSpecifier, SpecifierSet

    try:
        SpecifierSet(str(value))
    except InvalidSpecifier:
        return False
    return True
