"""The types of the fields that recipes and other data files have, for pydantic to check."""

from __future__ import annotations

from typing import Annotated, Union
from urllib.parse import urlsplit

from pydantic import AfterValidator, ConfigDict, Field, Strict

Value = Union[bool, int, str]
STRICT = ConfigDict(extra="forbid")

Integer = Annotated[int, Strict()]

Sha256 = Annotated[str, Field(pattern=r"^[0-9a-f]{64}$")]
Commit = Annotated[str, Field(pattern=r"^[0-9a-f]{40}$")]
Size = Annotated[int, Strict(), Field(ge=0)]
# Not longer than the name of a file may be, with room for what is added to it.
Name = Annotated[str, Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9._+-]*$", max_length=200)]
VersionNumber = Annotated[str, Field(pattern=r"^[0-9]+(\.[0-9]+)*$", max_length=40)]
Script = Annotated[str, Field(pattern=r"^(scripts|common|cuda)/[A-Za-z0-9._-]+\.sh$")]
NpmName = Annotated[str, Field(pattern=r"^(@[A-Za-z0-9~-][A-Za-z0-9._~-]*/)?[A-Za-z0-9~-][A-Za-z0-9._~-]*$")]


def inside(path: str) -> str:
    """A relative path that does not leave its folder; ValueError for any other."""
    parts = path.split("/")
    if not path or path.startswith("/") or ".." in parts or any(len(part) > 255 for part in parts):
        raise ValueError("a relative path that stays inside its folder is needed")
    return path


def with_host(text: str) -> str:
    """A URL with a host; ValueError for any other text."""
    parts = urlsplit(text)
    if not parts.hostname or parts.port == 0:  # both raise ValueError, too
        raise ValueError("a URL with a host is needed")
    return text


RelativePath = Annotated[str, Field(max_length=1000), AfterValidator(inside)]
