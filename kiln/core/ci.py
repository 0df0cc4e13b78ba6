"""What the log of a CI provider understands: parts that fold away, and errors that it shows beside the code."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Protocol


class Log(Protocol):
    """The log that lines go to. Texts are written as they are; an empty one writes nothing."""

    def begin(self, part: str, now: float) -> str:
        """What begins a part of the log; `now` is in seconds since 1970."""

    def end(self, part: str, now: float) -> str:
        """What ends it."""

    def error(self, message: str, where: str) -> str:
        """What shows an error beside the code: `where` is FILE:LINE or FILE, or empty."""

    def safe(self, text: str) -> str:
        """Lines of others, with nothing in them that the log would obey."""


class PlainLog:
    """A file, a pipe, or a terminal."""

    def begin(self, part: str, now: float) -> str:
        return ""

    def end(self, part: str, now: float) -> str:
        return ""

    def error(self, message: str, where: str) -> str:
        return ""

    def safe(self, text: str) -> str:
        return text


class GitHubLog:
    """GitHub's workflow commands."""

    def begin(self, part: str, now: float) -> str:
        return f"::group::{part}\n"

    def end(self, part: str, now: float) -> str:
        return "::endgroup::\n"

    def error(self, message: str, where: str) -> str:
        file, _, line = where.rpartition(":") if re.search(r":\d+$", where) else (where, "", "")
        place = {"file": file, "line": line, "title": "Kiln"}
        values = ",".join(f"{name}={_property(value)}" for name, value in place.items() if value)
        return f"::error {values}::{_data(message)}\n"

    def safe(self, text: str) -> str:
        # The runner obeys a line that begins with two colons, whatever is before them, and `##[` anywhere.
        return re.sub(r"(?m)^(\s*):(?=:)", r"\1: ", text).replace("##[", "## [")


@dataclass(frozen=True)
class GitLabLog:
    """GitLab's sections; it has no errors beside the code."""

    def begin(self, part: str, now: float) -> str:
        return f"\x1b[0Ksection_start:{now:.0f}:kiln_{_slug(part)}\r\x1b[0K{part}\n"

    def end(self, part: str, now: float) -> str:
        return f"\x1b[0Ksection_end:{now:.0f}:kiln_{_slug(part)}\r\x1b[0K"

    def error(self, message: str, where: str) -> str:
        return ""

    def safe(self, text: str) -> str:
        return text  # sections begin with control characters, which no line of others has by then


def log_of(environment: Mapping[str, str]) -> Log:
    """The log of the CI provider that runs this, by the variables that it sets; else a plain one."""
    if environment.get("GITHUB_ACTIONS") == "true":
        return GitHubLog()
    return GitLabLog() if environment.get("GITLAB_CI") == "true" else PlainLog()


def _slug(part: str) -> str:
    return re.sub(r"[^A-Za-z0-9_.-]", "_", part)


def _data(text: str) -> str:
    return text.replace("%", "%25").replace("\r", "%0D").replace("\n", "%0A")


def _property(text: str) -> str:
    return _data(text).replace(":", "%3A").replace(",", "%2C")
