"""The names of compile caches: what is compiled with one of them is taken by no other recipe or toolchain."""

from __future__ import annotations

from kiln.recipe import Image

# In no name of a recipe.
_SHARED = "@"


def cache_name(image: Image, recipe: str) -> str:
    """The name of the cache of a recipe in a toolchain's image; without a recipe, that of its interpreters."""
    own = f"-{recipe}" if recipe else ".interpreters"
    return f"{image.base}-{image.name.replace('+', '-')}-{image.root[:16]}{own}"


def shared_name(name: str, shared: str) -> str:
    """The name of the cache beside `name` for builds that use the shared cache `shared`; without one, `name` itself.

    What came from a machine that others can write to is taken by no build that does not ask for it.
    """
    return f"{name}{_SHARED}{shared}" if shared else name


def unshared_name(name: str) -> str:
    """The name of the cache that is beside the one of a shared cache."""
    return name.partition(_SHARED)[0]
