"""The names of compile caches: what is compiled with one of them is taken by no other recipe or toolchain."""

from __future__ import annotations

from kiln.recipe import Image


def cache_name(image: Image, recipe: str) -> str:
    """The name of the cache of a recipe in a toolchain's image; without a recipe, that of its interpreters."""
    own = f"-{recipe}" if recipe else ".interpreters"
    return f"{image.base}-{image.name.replace('+', '-')}-{image.root[:16]}{own}"
