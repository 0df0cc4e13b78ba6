"""Choices as a person types them after `build`."""

from __future__ import annotations

from collections.abc import Mapping

from kiln.core import Value


def flag(name: str, value: Value = True) -> str:
    """An option's name as it is typed."""
    return f"--{'no-' if value is False else ''}{name.replace('_', '-')}"


def variant_words(variant: Mapping[str, str]) -> list[str]:
    """A variant, by its axes."""
    return [f"{flag(axis)}={value}" for axis, value in variant.items()]


def option_word(name: str, value: Value) -> str:
    """A value of a recipe's option."""
    return flag(name, value) if isinstance(value, bool) else f"{flag(name)}={value}"
