"""The language of cmake scripts: commands and their words, references, and conditions."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass

from kiln.core import UsageError

MAX_TEXT = 1 << 16
MAX_NESTING = 8

_TOKEN = re.compile(
    r"""(?P<comment>\#\[(?P<level>=*)\[.*?\](?P=level)\]|\#[^\n]*)
      | (?P<bracket>\[(?P<equals>=*)\[(?P<raw>.*?)\](?P=equals)\])
      | "(?P<quoted>(?:[^"\\]|\\.)*)"
      | (?P<paren>[()])
      | (?P<space>\s+)
      | (?P<bare>(?:[^\s()"#\\]|\\.)+)""",
    re.VERBOSE | re.DOTALL,
)
_REFERENCE = re.compile(r"\$(ENV)?\{([A-Za-z0-9_./+-]*)\}")
_FALSE = re.compile(r"|0|OFF|NO|FALSE|N|IGNORE|NOTFOUND|.*-NOTFOUND", re.IGNORECASE)


@dataclass(frozen=True)
class Word:
    text: str
    quoted: bool = False
    raw: bool = False


@dataclass(frozen=True)
class Command:
    name: str
    words: tuple[Word, ...]
    line: int


def commands(text: str, path: str) -> Iterator[Command]:
    """The commands of a script, in order."""
    tokens = _tokens(text, path)
    for name, line in tokens:
        if not isinstance(name, Word):
            raise UsageError(f"{path}:{line}: a command was expected", "give an unchanged source tree")
        words: list[Word] = []
        depth = 0
        each: Word | str = ""
        for each, _ in tokens:
            if each == "(":
                depth += 1
                words += [Word("(")] if depth > 1 else []
            elif each == ")":
                depth -= 1
                if not depth:
                    break
                words.append(Word(")"))
            elif isinstance(each, Word) and depth:
                words.append(each)
            else:
                break
        if depth or each != ")":
            raise UsageError(f"{path}:{line}: {name.text} has no arguments", "give an unchanged source tree")
        yield Command(name.text.lower(), tuple(words), line)


def _tokens(text: str, path: str) -> Iterator[tuple[Word | str, int]]:
    at, line = 0, 1
    while at < len(text):
        found = _TOKEN.match(text, at)
        if not found:
            raise UsageError(f"{path}:{line}: this is not cmake", "give an unchanged source tree")
        if found["paren"]:
            yield found["paren"], line
        elif found["quoted"] is not None:
            yield Word(found["quoted"], quoted=True), line
        elif found["bracket"]:
            yield Word(found["raw"], quoted=True, raw=True), line
        elif found["bare"]:
            yield Word(found["bare"]), line
        line += found[0].count("\n")
        at = found.end()


class GrowthError(Exception):
    """A text that references make longer than any script needs."""


def replaced(text: str, values: Mapping[str, str]) -> str:
    """A text with its references replaced, the innermost first: ${a_${b}}. GrowthError where it explodes."""
    for _ in range(MAX_NESTING):
        size = 0

        def value(found: re.Match[str]) -> str:
            nonlocal size
            # The environment decides nothing here.
            inner = "" if found[1] else values.get(found[2], "")
            size += len(inner)
            if size > MAX_TEXT:
                raise GrowthError
            return inner

        again = _REFERENCE.sub(value, text)
        if again == text:
            break
        text = again
    return re.sub(r"\\(.)", r"\1", text)


def holds(words: list[Word], values: Mapping[str, str]) -> bool | None:
    """Whether a condition holds; None where it cannot be read. Files, targets and policies do not exist."""
    try:
        value, rest = _either(words, values)
    except IndexError:
        return None
    return None if rest else value


def _either(words: list[Word], values: Mapping[str, str]) -> tuple[bool, list[Word]]:
    value, words = _both(words, values)
    while words and words[0] == Word("OR"):
        other, words = _both(words[1:], values)
        value = value or other
    return value, words


def _both(words: list[Word], values: Mapping[str, str]) -> tuple[bool, list[Word]]:
    value, words = _one(words, values)
    while words and words[0] == Word("AND"):
        other, words = _one(words[1:], values)
        value = value and other
    return value, words


def _one(words: list[Word], values: Mapping[str, str]) -> tuple[bool, list[Word]]:
    """One term of a condition, and what stands behind it."""
    first, *rest = words
    if first == Word("NOT"):
        value, rest = _one(rest, values)
        return not value, rest
    if first == Word("("):
        value, rest = _either(rest, values)
        if rest[0] != Word(")"):
            raise IndexError
        return value, rest[1:]
    if not first.quoted and first.text in (
        "DEFINED",
        "EXISTS",
        "TARGET",
        "COMMAND",
        "IS_DIRECTORY",
        "POLICY",
    ):
        return first.text == "DEFINED" and rest[0].text in values, rest[1:]
    if rest and not rest[0].quoted and rest[0].text in _OPERATORS:
        left, right = (_meant(word, values) for word in (first, rest[1]))
        return _OPERATORS[rest[0].text](left, right), rest[2:]
    return _truth(first, values), rest


def _meant(word: Word, values: Mapping[str, str]) -> str:
    return word.text if word.quoted else values.get(word.text, word.text)


def _truth(word: Word, values: Mapping[str, str]) -> bool:
    if re.fullmatch(r"[1-9]\d*|ON|YES|TRUE|Y", word.text, re.IGNORECASE):
        return True
    return not word.quoted and not _FALSE.fullmatch(values.get(word.text, ""))


def _version(text: str) -> list[int]:
    return [int(part) for part in re.findall(r"\d+", text)]


def _number(text: str) -> float:
    return float(text) if re.fullmatch(r"-?\d+(\.\d+)?", text) else float("nan")


def _matches(left: str, right: str) -> bool:
    try:
        return bool(re.search(right, left))
    except re.error:
        return False


_OPERATORS: Mapping[str, Callable[[str, str], bool]] = {
    "STREQUAL": lambda left, right: left == right,
    "STRLESS": lambda left, right: left < right,
    "STRGREATER": lambda left, right: left > right,
    "EQUAL": lambda left, right: _number(left) == _number(right),
    "LESS": lambda left, right: _number(left) < _number(right),
    "GREATER": lambda left, right: _number(left) > _number(right),
    "MATCHES": _matches,
    "IN_LIST": lambda left, right: left in right.split(";"),
    "VERSION_EQUAL": lambda left, right: _version(left) == _version(right),
    "VERSION_LESS": lambda left, right: _version(left) < _version(right),
    "VERSION_GREATER": lambda left, right: _version(left) > _version(right),
    "VERSION_GREATER_EQUAL": lambda left, right: _version(left) >= _version(right),
}
