"""What several commands print and write: tables, sizes, paths and pages."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from rich.table import Table


def plain_table(*titles: str) -> Table:
    """A table whose cells are never cut."""
    from rich.table import Column, Table

    columns = (Column(title, overflow="fold") for title in titles)
    return Table(*columns, box=None, pad_edge=False, header_style="bold")


def megabytes(size: int) -> str:
    """A size in bytes as a number of MB."""
    return f"{size / 1e6:.1f}"


def write_page(target: Path, text: str) -> None:
    """Give a file its text in one step."""
    partial = target.with_name(f".partial-{os.getpid()}-{target.name}")
    partial.write_text(text, encoding="utf-8")
    partial.replace(target)


def short_path(path: Path) -> Path:
    """Relative to where the person is, where that is shorter."""
    try:
        return path.relative_to(Path.cwd())
    except ValueError:
        return path
