"""Sizes and counts as people read them."""

from __future__ import annotations


def bytes_shown(size: float) -> str:
    """A number of bytes."""
    if abs(size) < 1000:
        return f"{size:.0f} B"
    if abs(size) < 1e6:
        return f"{size / 1e3:.1f} kB"
    return f"{size / 1e6:.1f} MB" if abs(size) < 1e9 else f"{size / 1e9:.2f} GB"


def fitted(path: str, letters: int) -> str:
    """The last part of a path, cut to so many letters; nothing where there is no room for some."""
    name = path.rpartition("/")[2] or path
    if letters < 4:
        return ""
    return name if len(name) <= letters else name[: letters - 1] + "…"


def counted(number: int, one: str, many: str = "") -> str:
    """A number with its noun."""
    return f"{number:,} {one if number == 1 else many or one + 's'}"


def milliseconds(value: float | None) -> str:
    """A time of a benchmark; nothing where there is none."""
    return "" if value is None else f"{value:.2f}" if value < 100 else f"{value:.0f}"
