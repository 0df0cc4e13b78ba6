"""Choices as a person types them after `build`."""

from __future__ import annotations

from collections.abc import Mapping

from kiln.core import Value


def variant_words(variant: Mapping[str, str]) -> list[str]:
    """A variant, by its axes."""
    return [f"--{axis.replace('_', '-')}={value}" for axis, value in variant.items()]


def option_word(name: str, value: Value) -> str:
    """A value of a recipe's option."""
    flag = name.replace("_", "-")
    if isinstance(value, bool):
        return f"--{flag}" if value else f"--no-{flag}"
    return f"--{flag}={value}"
