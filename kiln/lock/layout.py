"""The text of locks: JSON, which is YAML too and is read in a small part of the time."""

from __future__ import annotations

import json
from typing import Any

WIDTH = 120


def laid_out(value: Any, width: int = WIDTH, indent: str = "") -> str:
    """A value as JSON: what is longer than `width` has a line for each key or item, so that changes show well."""
    line = json.dumps(value, ensure_ascii=False)
    if len(indent) + len(line) <= width or not isinstance(value, (dict, list, tuple)):
        return line
    inner = indent + " "
    if isinstance(value, dict):
        rows = [f"{json.dumps(key)}: {laid_out(each, width, inner)}" for key, each in value.items()]
    else:
        rows = [laid_out(each, width, inner) for each in value]
    return line[0] + f",\n{inner}".join(rows) + line[-1]
