"""The tasks in groups by what a person wants to do, and how `--list` shows them."""

from __future__ import annotations

import textwrap
from collections.abc import Iterator, Mapping

# Each group with its tasks in the order in which a person meets them; `build-` stands for those of the recipes.
GROUPS = {
    "see what there is": ("recipes", "plan", "doctor", "completion"),
    "build a wheel": ("build-", "build", "matrix", "smoke", "upstream-tests"),
    "prove where a wheel comes from": ("report", "compare", "verify", "check", "rebuild", "sign"),
    "get and keep its sources": ("fetch", "sources", "bundle", "lock", "gc"),
    "give wheels to others": ("index", "serve", "publish", "sets", "ci-matrix"),
    "models, and other people's code": ("onnx", "netron", "patch"),
    "work on Kiln itself": (
        "new-recipe",
        "test",
        "lint",
        "schemas",
        "docs",
        "bench",
        "attack",
        "test-layers",
    ),
}
OTHERS = "more"


def grouped(names: Mapping[str, str]) -> Iterator[tuple[str, list[str]]]:
    """Each group that has tasks, with their names; those of no group come last."""
    known = {name for group in GROUPS.values() for name in group}
    recipes = [name for name in names if name.startswith("build-") and name not in known]
    for title, group in GROUPS.items():
        found = [each for name in group for each in (recipes if name == "build-" else [name])]
        found = [name for name in found if name in names]
        if found:
            yield title, found
    rest = [name for name in names if name not in known and name not in recipes]
    if rest:
        yield OTHERS, rest


def listing(helps: Mapping[str, str], columns: int) -> str:
    """All tasks with their one line of help, in groups, wrapped to so many columns."""
    width = max(map(len, helps), default=0)
    lines: list[str] = []
    for title, names in grouped(helps):
        lines += ["", f"{title}:"]
        for name in names:
            wrapped = textwrap.wrap(helps[name], max(20, columns - width - 5)) or [""]
            lines.append(f"  {name:<{width}}  {wrapped[0]}".rstrip())
            lines += [" " * (width + 4) + rest for rest in wrapped[1:]]
    return "\n".join(lines[1:])
