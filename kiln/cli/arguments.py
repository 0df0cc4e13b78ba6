"""The arguments of tasks that may be left out."""

from __future__ import annotations

# Tasks whose arguments may be left out, and the option that each argument stands for.
ARGUMENTS = {
    "bench": "name",
    "check": "target",
    "doctor": "recipe",
    "index": "folder",
    "lock": "recipe",
    "matrix": "recipe",
    "rebuild": "provenance",
    "recipes": "recipe",
    "serve": "folder",
    "report": "target",
    "sets": "folder",
    "sign": "target",
    "smoke": "wheel",
    "upstream-tests": "wheel",
    "verify": "recipe",
}
