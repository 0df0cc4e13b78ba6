"""Two finished builds side by side: the task `compare`."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import Path

from rich.markup import escape

from kiln import report
from kiln.commands.printing import plain_table, short_path, write_page
from kiln.commands.report import recorded
from kiln.core import Console, UsageError, shown
from kiln.recipe import Catalogue
from kiln.report import Comparison

# Rows of a table in the terminal, and names of symbols.
ROWS, NAMES = 20, 8


def run(catalogue: Catalogue, one: str, other: str, html: str, console: Console) -> None:
    """Print what differs between two builds, and with `html` write it as a page.

    Raises UsageError where one is not a finished build, SourceError where its files are not what was recorded.
    """
    with console.status("comparing"):
        folders = [recorded(catalogue.root, each).folder for each in (one, other)]
        found = report.compared(*folders)
    show(found, Console.for_output())
    if html:
        target = Path(html)
        if target.is_dir() or not target.absolute().parent.is_dir():
            raise UsageError(f"{html} cannot be written", "give a file in a folder that is there")
        write_page(target, report.compare_page(found))
        console.say(f"page     {short_path(target)}")


def show(found: Comparison, console: Console) -> None:
    """Print what differs."""
    console.say(f"A  {found.one.wheel.name}\nB  {found.other.wheel.name}")
    if found.same:
        console.say("\nthe two wheels have the same bytes")
    for title, rows in (
        ("variant and options", found.about),
        ("sources", found.sources),
        ("patches", found.patches),
        ("packages of the toolchain", found.packages),
        ("times of the build", found.times),
        ("tests", found.tests),
        ("tests that ended otherwise", found.endings),
    ):
        _table(console, title, ("A", "B"), ((row.name, row.one or "-", row.other or "-") for row in rows))
    times = [
        (row.name, f"{row.one:.3g}", f"{row.other:.3g}", f"{row.ratio:.2f}" if row.ratio else "")
        for row in found.speed
    ]
    _table(console, "speed in ms; a ratio above 1: B is faster", ("A", "B", "A / B"), times)
    for title, sizes in (
        ("kinds of content", found.kinds),
        ("files", found.files),
        ("sections of libraries", found.sections),
    ):
        cells = (
            (row.name, _size(row.one), _size(row.other), f"{row.change / 1e3:+,.1f}")
            for row in sizes
            if row.change
        )
        _table(console, f"{title}, in kB", ("A", "B", "change"), cells)
    for each in found.symbols:
        console.say(
            f"\nexported symbols of {each.library}: {len(each.added)} only in B, {len(each.removed)} only in A"
        )
        for mark, names in (("+", each.added), ("-", each.removed)):
            more = [f"and {len(names) - NAMES} more"] if len(names) > NAMES else []
            for name in (*names[:NAMES], *more):
                console.say(f"  {mark} {name}")


def _size(size: int) -> str:
    return f"{size / 1e3:,.1f}" if size else "-"


def _table(console: Console, title: str, columns: Sequence[str], rows: Iterable[Sequence[str]]) -> None:
    """A table of what differs; nothing where nothing does."""
    rows = list(rows)
    if not rows:
        return
    console.say(f"\n{title}")
    table = plain_table("", *columns)
    for row in rows[:ROWS]:
        table.add_row(*(escape(shown(cell)) for cell in row))
    console.table(table)
    if len(rows) > ROWS:
        console.say(f"and {len(rows) - ROWS} more: --html FILE has them")
