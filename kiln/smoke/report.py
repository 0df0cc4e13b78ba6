"""What a smoke run proved, as people read it: a table in the terminal, and one page that needs no other file."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from pathlib import Path

import jinja2
from rich.markup import escape
from rich.table import Column, Table

from kiln.archive import Wheel
from kiln.core import Console, duration, new, sha256_of
from kiln.smoke.results import KINDS, SmokeResult

PAGE = "smoke.html"
_TEMPLATE = Path(__file__).with_name("report.html.jinja")


def table(proof: SmokeResult, console: Console) -> None:
    """The areas with their counts, why tests were skipped, and the speed."""
    areas = _table("area", "passed", "skipped", "failed", "time")
    for area in proof.areas:
        failed = area.count("failed")
        areas.add_row(
            escape(area.name),
            str(area.count("passed")),
            str(area.count("skipped") or ""),
            f"[red]{failed}[/red]" if failed else "",
            duration(sum(case.seconds for case in area.cases)),
        )
    console.table(areas)
    reasons = _reasons(proof)
    if reasons:
        console.say("\nskipped")
        for why, count in reasons.items():
            console.say(f"  {count:>3}  {why}")
    for case in proof.failures:
        console.say(f"\nfailed: {case.sentence} ({case.area})")
        console.say("\n".join("  " + line for line in case.why.splitlines()[:6]))
    if proof.instructions is not None:
        counts = ", ".join(f"{name} {proof.instructions[name]:,}" for name in KINDS)
        console.say(f"\nvector instructions in all libraries: {counts}")
    if proof.speed:
        console.say()
        _speed(proof, console)


def summary(proof: SmokeResult) -> str:
    """The counts in one line."""
    text = f"{proof.count('passed')} passed, {proof.count('skipped')} skipped"
    failed = proof.count("failed")
    return f"{failed} failed, {text}" if failed else text


def write_page(target: Path, proof: SmokeResult, wheel: Wheel, about: Mapping[str, str]) -> Path:
    """The page `target`; `about` are further facts for its head."""
    environment = jinja2.Environment(
        autoescape=True, trim_blocks=True, lstrip_blocks=True, undefined=jinja2.StrictUndefined
    )
    environment.filters.update(milliseconds=_milliseconds, ratio=_ratio, duration=duration)
    page = environment.from_string(_TEMPLATE.read_text(encoding="utf-8")).render(
        proof=proof,
        wheel=wheel,
        sha256=sha256_of(wheel.path),
        size=wheel.path.stat().st_size,
        about=about,
        kinds=KINDS,
        summary=summary(proof),
        reasons=_reasons(proof),
    )
    with new(target) as file:
        file.write(page.encode())
    return target


def _reasons(proof: SmokeResult) -> dict[str, int]:
    """How many tests were skipped for each reason."""
    return dict(Counter(case.why for case in proof.cases if case.ending == "skipped").most_common())


def _speed(proof: SmokeResult, console: Console) -> None:
    speed = proof.speed
    if not speed:
        return
    columns = [f"{speed.wheel}, ms", "NumPy, ms", "NumPy / wheel"]
    columns += ["other, ms", "other / wheel"] if speed.against else []
    rows = _table("speed: one thread, one core", *columns)
    for row in speed.rows:
        cells = [_milliseconds(row.wheel), _milliseconds(row.numpy), _ratio(row.ratio(row.numpy))]
        if speed.against:
            cells += [_milliseconds(row.against), _ratio(row.ratio(row.against))]
        rows.add_row(escape(row.name), *cells)
    console.table(rows)
    other = f"other: {speed.against}; " if speed.against else ""
    console.say(f"{other}a ratio above 1: the wheel is faster")


def _milliseconds(value: float | None) -> str:
    return "" if value is None else f"{value:.2f}" if value < 100 else f"{value:.0f}"


def _ratio(value: float | None) -> str:
    return "" if value is None else f"{value:.2f}"


def _table(first: str, *others: str) -> Table:
    """Words on the left, numbers on the right."""
    columns = [Column(first, overflow="fold"), *(Column(name, justify="right") for name in others)]
    return Table(*columns, box=None, pad_edge=False, header_style="bold")
