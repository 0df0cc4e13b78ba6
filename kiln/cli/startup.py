"""What the start of a process does without: a quarter of the time of a short command went into it."""

from __future__ import annotations

import importlib
import os
import sys
from types import ModuleType

# Brings asyncio and ssl; Invoke's MockContext alone uses it, which is for tests of other people's tasks.
_MOCK = "unittest.mock"
# A copy of PyYAML, which Kiln has.
_YAML = "invoke.vendor.yaml"


def prepare() -> None:
    """Import Invoke without these two; what is imported already stays. And pydantic looks for no plugins."""
    # For plugins pydantic reads the metadata of every package.
    os.environ.setdefault("PYDANTIC_DISABLE_PLUGINS", "__all__")
    if _YAML not in sys.modules:
        sys.modules[_YAML] = importlib.import_module("yaml")
    stand_in = ModuleType(_MOCK)
    stand_in.__dict__["Mock"] = None
    borrowed = sys.modules.setdefault(_MOCK, stand_in) is stand_in
    try:
        importlib.import_module("invoke.collection")
    finally:
        if borrowed:
            del sys.modules[_MOCK]
