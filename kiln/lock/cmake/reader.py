"""The files that a source tree's cmake scripts would download, read from the scripts.

Scripts are evaluated as far as values go: variables, loops, and conditions as they are on 64-bit x86 Linux.
Conditions decide values, never whether a download is listed: what is in a branch that is not taken
counts too.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from kiln.core import UsageError
from kiln.lock.cmake.language import Command, GrowthError, Word, commands, holds, replaced

LINUX = {"UNIX": "1", "X86_64": "1", "CMAKE_SYSTEM_NAME": "Linux", "CMAKE_SYSTEM_PROCESSOR": "x86_64"}
MAX_STEPS = 50_000
MAX_FILE = 1 << 20

_BLOCKS = {"if": "endif", "foreach": "endforeach", "function": "endfunction", "macro": "endmacro"}
_FLAGS = {"UNPACK", "RELATIVE_URL"}
_KEYS = {"FILENAME", "HASH", "URL", "DESTINATION_DIR", "ID", "STATUS"}


@dataclass(frozen=True)
class Download:
    """One call of the download command: the file's name, MD5 and URL, and the group that it is part of."""

    id: str
    filename: str
    md5: str
    url: str
    place: str = field(compare=False)


def read_downloads(tree: Path, command: str) -> tuple[Download, ...]:
    """Every download that the scripts of a tree may ask for by `command`, sorted by id and file.

    Raises UsageError with file and line for a script that cannot be read.
    """
    found: set[Download] = set()
    for path in sorted(tree.rglob("*")):
        if path.suffix != ".cmake" and path.name != "CMakeLists.txt":
            continue
        text = _text(path)
        if re.search(rf"\b{re.escape(command)}\s*\(", text, re.IGNORECASE):
            script = _Script(command.lower(), path.relative_to(tree).as_posix())
            found.update(script.run(text))
    return tuple(sorted(found, key=lambda each: (each.id, each.filename, each.url)))


def _text(path: Path) -> str:
    try:
        if not path.is_file() or path.stat().st_size > MAX_FILE:
            return ""
        return path.read_text(encoding="utf-8", errors="replace")
    except OSError as error:
        raise UsageError(
            f"{path} cannot be read ({error.strerror})", "give the folder of a whole source tree"
        ) from error


@dataclass
class _Script:
    """One script under evaluation."""

    command: str
    path: str
    found: list[Download] = field(default_factory=list)
    steps: int = 0

    def run(self, text: str) -> list[Download]:
        try:
            self._block(list(commands(text, self.path)), dict(LINUX))
        except RecursionError as error:
            raise UsageError(f"{self.path}:1: blocks are nested too deep", "look at the file") from error
        return self.found

    def _block(self, commands: list[Command], values: dict[str, str]) -> None:
        at = 0
        while at < len(commands):
            command = commands[at]
            self.steps += 1
            if self.steps > MAX_STEPS:
                raise UsageError(
                    f"{self._place(command)}: no end after {MAX_STEPS} steps", "look at the file"
                )
            if command.name not in _BLOCKS:
                self._simple(command, values)
                at += 1
                continue
            end = self._end(commands, at)
            inner = commands[at + 1 : end]
            if command.name == "if":
                self._if(commands[at:end], values)
            elif command.name == "foreach":
                self._foreach(command, inner, values)
            else:
                self._block(inner, dict(values))
            at = end + 1

    def _end(self, commands: list[Command], start: int) -> int:
        """Where the block that begins at `start` ends."""
        depth = 0
        for at in range(start, len(commands)):
            depth += (commands[at].name in _BLOCKS) - (commands[at].name in _BLOCKS.values())
            if not depth:
                return at
        raise UsageError(f"{self._place(commands[start])}: this block has no end", "give an unchanged tree")

    def _simple(self, command: Command, values: dict[str, str]) -> None:
        if command.name == self.command:
            self._download(command, values)
            return
        words = self._expanded(command, values)
        if command.name == "set" and words:
            kept = words[1:]
            for word in ("CACHE", "PARENT_SCOPE"):
                kept = kept[: kept.index(word)] if word in kept else kept
            values[words[0]] = ";".join(kept)
        elif command.name == "ocv_update" and len(words) > 1:
            # OpenCV's: a value that the user may have set before.
            values.setdefault(words[0], ";".join(words[1:]))
        elif command.name == "unset" and words:
            values.pop(words[0], None)
        elif command.name == "list" and len(words) > 2 and words[0] == "APPEND":
            values[words[1]] = ";".join(part for part in (values.get(words[1], ""), *words[2:]) if part)

    def _foreach(self, command: Command, inner: list[Command], values: dict[str, str]) -> None:
        words = self._expanded(command, values)
        if not words:
            return
        items = words[1:]
        if items[:2] == ["IN", "LISTS"]:
            items = [item for name in items[2:] for item in values.get(name, "").split(";") if item]
        elif items[:2] == ["IN", "ITEMS"]:
            items = items[2:]
        for item in items:
            values[words[0]] = item
            self._block(inner, values)

    def _if(self, commands: list[Command], values: dict[str, str]) -> None:
        taken = False
        before = dict(values)
        for condition, inner in self._branches(commands):
            holds = not taken and (condition is None or self._holds(condition, before))
            self._block(inner, values if holds else dict(before))
            taken = taken or holds

    def _branches(self, commands: list[Command]) -> Iterator[tuple[Command | None, list[Command]]]:
        """The conditions of an if block with what stands under each; None is `else`."""
        at = 0
        while at < len(commands):
            end = at + 1
            while end < len(commands) and commands[end].name not in ("elseif", "else"):
                end = self._end(commands, end) + 1 if commands[end].name in _BLOCKS else end + 1
            yield (None if commands[at].name == "else" else commands[at]), commands[at + 1 : end]
            at = end

    def _download(self, command: Command, values: dict[str, str]) -> None:
        given: dict[str, list[str]] = {}
        key = ""
        for word in self._expanded(command, values):
            if word in _FLAGS | _KEYS:
                key = word
                given.setdefault(key, [])
            elif key:
                given[key].append(word)
        filename, md5 = ("".join(given.get(name, [])[:1]) for name in ("FILENAME", "HASH"))
        url = next((url for url in given.get("URL", []) if url), "") + (
            filename if "RELATIVE_URL" in given else ""
        )
        if not filename or not re.fullmatch(r"[0-9a-f]{32}", md5) or not re.match(r"https?://", url):
            raise UsageError(
                f"{self._place(command)}: the file {filename!r} with the MD5 {md5!r} from {url!r} cannot be "
                "a download",
                "give an unchanged source tree, and report this if it is one",
            )
        self.found.append(
            Download("".join(given.get("ID", [])[:1]).lower(), filename, md5, url, self._place(command))
        )
        for status in given.get("STATUS", [])[:1]:
            values[status] = "TRUE"

    def _expanded(self, command: Command, values: Mapping[str, str]) -> list[str]:
        """The arguments of a command: references replaced, what is not quoted split at semicolons."""
        result: list[str] = []
        for word in command.words:
            if word.raw:
                result.append(word.text)
                continue
            text = self._replaced(word, command, values)
            result += [text] if word.quoted else [part for part in text.split(";") if part]
        return result

    def _holds(self, command: Command, values: Mapping[str, str]) -> bool:
        words = [
            word if word.raw else Word(self._replaced(word, command, values), word.quoted)
            for word in command.words
        ]
        value = holds(words, values)
        if value is None:
            raise UsageError(
                f"{self._place(command)}: this condition cannot be read",
                "give an unchanged source tree, and report this if it is one",
            )
        return value

    def _replaced(self, word: Word, command: Command, values: Mapping[str, str]) -> str:
        try:
            return replaced(word.text, values)
        except GrowthError as error:
            raise UsageError(f"{self._place(command)}: a text grows too long", "look at the file") from error

    def _place(self, command: Command) -> str:
        return f"{self.path}:{command.line}"
