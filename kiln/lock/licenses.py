"""The licences of a build system's downloads, which no build system records."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

from pydantic import Field

from kiln.core import STRICT, Name, read_yaml, typed


@dataclass(frozen=True)
class ExternalLicenses:
    """The licence of each external by its name: an SPDX expression, or what the licence is called."""

    licenses: Mapping[Name, Annotated[str, Field(min_length=1, max_length=200)]]

    __pydantic_config__ = STRICT


def read_licenses(file: Path) -> Mapping[str, str]:
    """What a file says; raises UsageError with file, line and key for what is wrong in it."""
    return typed(read_yaml(file), ExternalLicenses).licenses
