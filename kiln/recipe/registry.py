"""Images from a registry that bases start from, in place of packages."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, Any

from pydantic import Field

from kiln.core import STRICT, Name, Sha256

# A tag says nothing of what is in an image: only a digest does.
Reference = Annotated[str, Field(pattern=r"^[a-z0-9][a-z0-9./:_-]*@sha256:[0-9a-f]{64}$")]


@dataclass(frozen=True)
class RegistryImage:
    """An image by its digest in a registry, and `sha256` of its root file system as a normal tar."""

    image: Reference
    sha256: Sha256

    __pydantic_config__ = STRICT


@dataclass(frozen=True)
class Installed:
    """A package in such an image. dpkg does not record which file it came from, so it has no hash of its own."""

    name: Name
    version: str
    arch: Name

    __pydantic_config__ = STRICT

    def row(self, image: str) -> dict[str, Any]:
        """The form of a locked package for programs; what dpkg does not know is None."""
        return {
            "name": self.name,
            "version": self.version,
            "architecture": self.arch,
            "sha256": None,
            "size": None,
            "suite": None,
            "origin": f"registry: {image}",
        }
