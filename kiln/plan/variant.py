"""What a person asks for, and the variant that it becomes."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path

from kiln.core import Value
from kiln.recipe import NATIVE


@dataclass(frozen=True)
class Request:
    """What a person asked for; empty values take the recipe's defaults."""

    recipe: str
    release: str = ""
    device: str = ""
    base: str = ""
    python: str = ""
    cpu_features: str = ""
    glibc: str = ""
    python_prefix: str = ""
    options: Mapping[str, Value] = field(default_factory=dict)
    accept_tree_hash: bool = False
    substitute: Mapping[str, Path] = field(default_factory=dict)


@dataclass(frozen=True)
class Variant:
    """One cell of a recipe's matrix. `glibc` is the oldest that the wheel is linked for, or the base's own."""

    device: str
    base: str
    python: str
    cpu_features: str
    glibc: str = NATIVE

    @property
    def identity(self) -> dict[str, str]:
        """What of it enters the build key: the base's own glibc is part of the base."""
        return {axis: value for axis, value in asdict(self).items() if (axis, value) != ("glibc", NATIVE)}

    @property
    def name(self) -> str:
        return "-".join(
            (f"cp{self.python.replace('.', '')}", self.device, self.base, self.cpu_features.replace(",", "_"))
        )
