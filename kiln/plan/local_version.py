"""The local part of a wheel's version, which tells the variants of one product apart.

Installers compare a numeric segment above one of letters, and match `==4.3.0` with every local part. So the
variant that a recipe builds by default has its revision as a number, `4.3.0+1`, which is what a plain requirement
gets; every other one begins with a letter, `4.3.0+avx2`, and is got by its full version alone.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import asdict

from kiln.core import Value
from kiln.recipe import Option, Recipe, cpu

# Feature lists that are known by one name.
KNOWN = {
    "baseline": "baseline",
    "sse4.2": "sse42",
    "sse4.2,avx": "avx",
    "sse4.2,avx,avx2,fma": "avx2",
    "sse4.2,avx,avx2,fma,avx512f": "avx512",
}


def of(
    recipe: Recipe, variant: Mapping[str, str], options: Mapping[str, Value], stand_ins: Iterable[str]
) -> str:
    """The local version of a variant: another one for every other wheel that could have the same name.

    The Python version is not in it, because the wheel's tag says that. `stand_ins` names the sources that are not
    what the recipe pins.
    """
    parts = [*_parts(recipe, variant, options), *map(_bare, stand_ins)]
    revision = [str(recipe.revision)] if recipe.revision > 1 or not parts else []
    return ".".join([*parts, *revision])


def _parts(recipe: Recipe, variant: Mapping[str, str], options: Mapping[str, Value]) -> Iterator[str]:
    defaults = asdict(recipe.variants.defaults)
    if variant["device"] != defaults["device"]:
        yield _bare(variant["device"].replace("cuda-", "cu"))
    if variant["base"] != defaults["base"]:
        yield _bare(variant["base"])
    if variant["cpu_features"] != cpu.canonical(defaults["cpu_features"]):
        yield _processor(variant["cpu_features"])
    if variant["glibc"] != defaults["glibc"]:
        yield f"glibc{_bare(variant['glibc'])}"
    for option in recipe.options:
        value = options.get(option.name, option.default)
        if value != option.default and not _in_name(option, value):
            yield from _option(option.name, value)


def _processor(features: str) -> str:
    listed = ".".join(["cpu", *(_bare(feature) for feature in features.split(","))])
    return KNOWN.get(features, listed)


def _in_name(option: Option, value: Value) -> bool:
    return option.in_name if isinstance(option.in_name, bool) else value in option.in_name


def _option(name: str, value: Value) -> Iterator[str]:
    """A switch is one segment; another option is two, so that no two choices read the same."""
    if isinstance(value, bool):
        yield _bare(name) if value else f"no{_bare(name)}"
        return
    yield _bare(name)
    plain = re.fullmatch(r"[a-z][a-z0-9]{0,30}", str(value))
    yield str(value) if plain else f"x{hashlib.sha256(str(value).encode()).hexdigest()[:8]}"


def _bare(text: str) -> str:
    return re.sub(r"[^a-z0-9]", "", text.lower())
