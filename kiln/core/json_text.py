"""JSON that comes from others."""

from __future__ import annotations

import json
from typing import Any


def parse_json(text: str | bytes, **hooks: Any) -> Any:
    """The value of a JSON text, with `json.loads`'s hooks; ValueError for what is not JSON, or is nested too deeply."""
    try:
        return json.loads(text, **hooks)
    except RecursionError as error:
        raise ValueError("it is nested too deeply") from error
