"""Texts as a person may see them: without logins, and without what a terminal would obey."""

from __future__ import annotations

import re
import unicodedata

HIDDEN = "***"
# What stands before a URL's host: after the slashes, after a scheme without any, or as NAME:PASSWORD@HOST alone.
_LOGIN = re.compile(r"(?<=//)[^/\s\"'<>]*@")
_HOST = r"(?=(?:\[[0-9A-Fa-f:.]+\]|[\w-]+(?:\.[\w-]+)*)(?::\d+)?(?![\w-]|:\w))"
_SCHEME = re.compile(
    rf"(?i)\b((?:https?|ftps?|ssh|git(?:\+\w+)?|svn(?:\+\w+)?|file|unix|tcp|socks\w*):)[^\s/@\"'<>]*@{_HOST}"
)
_BARE = re.compile(rf"(?<![\w/@.:-])[\w.+%~-]{{1,300}}:[^\s/@:\"'<>]{{1,300}}@{_HOST}")
# Parts of a query, variables and headers whose name says that nobody may see their value.
_SECRET = re.compile(
    r"(?i)((?:[?&;]|\b)[\w.-]{0,40}(?:token|secret|passw(?:or)?d|api[_-]?key|access[_-]?key|signature|credential)"
    r"[\w.-]{0,40}=)[^&;\s\"'<>]+"
)
_HEADER = re.compile(r"(?i)(\b(?:proxy-)?authorization:\s*(?:[a-z]+\s+)?)[^\s\"']+")
# A terminal's commands, whole, and then all other characters that are none of a text.
_ESCAPES = re.compile(
    r"\x1b\[[0-?]*[ -/]*[@-~]|\x1b[\]PX^_][^\x07\x1b]*(?:\x07|\x1b\\|$)|\x9b[0-?]*[ -/]*[@-~]"
)


def shown(text: str) -> str:
    """A text that may be printed, logged or kept, whatever is in it."""
    return without_control(without_secrets(text))


def without_login(text: str) -> str:
    """A URL, or a text with URLs in it, without what stands before their hosts."""
    return _LOGIN.sub("", text)


def without_secrets(text: str) -> str:
    """A text without logins, and without the values that a name such as `token` gives away."""
    # Most lines of a build have none of these, and there are millions.
    if "@" in text:
        text = _BARE.sub("", _SCHEME.sub(r"\1", without_login(text)))
    if "=" in text:
        text = _SECRET.sub(rf"\1{HIDDEN}", text)
    return _HEADER.sub(rf"\1{HIDDEN}", text) if "uthorization" in text or "UTHORIZATION" in text else text


def without_control(text: str) -> str:
    """A text without control characters but line breaks and tabs, and without those that turn its direction."""
    if text.isascii() and text.replace("\n", "").replace("\t", "").isprintable():
        return text
    return "".join(letter for letter in _ESCAPES.sub("", text) if letter in "\n\t" or not _is_control(letter))


def _is_control(letter: str) -> bool:
    kind = unicodedata.category(letter)
    # Of the format characters, those that join letters are text.
    return kind in ("Cc", "Cs") or (kind == "Cf" and letter not in "\u200c\u200d")
