"""The report of a finished build, made again and opened: the task `report`."""

from __future__ import annotations

import sys
import webbrowser
from collections.abc import Mapping
from pathlib import Path

from kiln import report, smoke
from kiln.build import Damage, Record, record
from kiln.commands.printing import short_path, write_page
from kiln.core import Console, Home, SourceError, UsageError
from kiln.recipe import Catalogue

# Variables of which one is set where a browser can show something.
_SCREENS = ("DISPLAY", "WAYLAND_DISPLAY", "BROWSER")


def run(
    catalogue: Catalogue, target: str, home: Home, environment: Mapping[str, str], console: Console
) -> None:
    """Make the report of a wheel beside its record, print where it is, and open it where a person watches."""
    found = recorded(catalogue.root, target)
    with home.in_use(console), home.lock(found.plan.key, console):
        page = write(found, home, catalogue.root / "dist" / "reports", console)
    Console.for_output().say(str(short_path(page)))
    if sys.stdout.isatty() and any(environment.get(name) for name in _SCREENS):
        webbrowser.open(page.absolute().as_uri())


def recorded(root: Path, target: str) -> Record:
    """The finished build that a person named: by its folder, or by the wheel in it; without a name the newest one.

    Raises UsageError where there is none, SourceError where its files are not what was recorded.
    """
    path = Path(target).absolute() if target else smoke.newest_wheel(root / "dist")
    folder = path if path.is_dir() else path.parent
    if not path.exists() or not (folder / record.SUMS).exists():
        raise UsageError(
            f"{path} is not a finished build", "name a folder under dist/, or the wheel in it, or build one"
        )
    found = record.read(folder)
    if isinstance(found, Damage):
        raise SourceError(
            f"{found.folder / found.file} is not what was recorded", "remove the folder and build it again"
        )
    if path != folder and path != found.wheel:
        raise UsageError(f"{path} is not the wheel of {folder}", "name the folder, or the wheel in it")
    return found


def write(found: Record, home: Home, elsewhere: Path, console: Console) -> Path:
    """The report of a build, in every record of it; for a signed one whose report would change, in `elsewhere`."""
    text = report.page(found.folder)
    there = found.folder / record.REPORT
    if there.exists() and there.read_text(encoding="utf-8") == text:
        return there
    if not report.pages_of(found):
        elsewhere.mkdir(parents=True, exist_ok=True)
        target = elsewhere / f"{found.wheel.stem}.html"
        write_page(target, text)
        console.note("the record is signed and stays as it is: this report is beside it")
        return target
    kept = record.find(home.results, found.plan.key)
    same = isinstance(kept, Record) and (
        (kept.folder / record.SUMS).read_bytes() == (found.folder / record.SUMS).read_bytes()
    )
    if same and isinstance(kept, Record) and kept.folder.resolve() != found.folder.resolve():
        # `build` would else put the old report back.
        record.add(kept, record.REPORT, text)
    return record.add(found, record.REPORT, text).folder / record.REPORT
