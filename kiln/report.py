"""Plans and results as people read them."""

from __future__ import annotations

import shlex
from collections.abc import Iterator, Sequence
from dataclasses import asdict
from pathlib import Path

from rich.markup import escape
from rich.table import Table

from kiln.build import Result
from kiln.console import Console, duration
from kiln.doctor import Finding
from kiln.lock import Lock
from kiln.plan import Plan
from kiln.sources import Obtained


def planned(plan: Plan, console: Console) -> None:
    """Every input with its hash, every container step, the limits, and the build key."""
    title = f"{plan.recipe.name} {plan.recipe.version}  {plan.variant_name}"
    console.say(f"{title}\n{plan.recipe.summary}\n")
    console.say("inputs")
    for digest, what in _inputs(plan):
        console.say(f"  {digest}  {what}")
    console.say("steps")
    for step in plan.steps:
        console.say(f"  {step.station:<8} {step.name:<10} bash /kiln/{step.script} in the image {step.image}")
    facts = {
        "base": f"{plan.toolchain.base.name} ({plan.toolchain.base.image or 'bootstrapped from Debian'})",
        "interpreter": f"{plan.interpreter.executable} ({plan.interpreter.kind})",
        "options": ", ".join(f"{name}={value}" for name, value in plan.options.items()) or "none",
        "limits": ", ".join(
            f"{name.replace('_', ' ')}: {value}" for name, value in asdict(plan.limits).items()
        ),
        "results": f"dist/{plan.folder}",
        "build key": plan.key,
    }
    for name, value in facts.items():
        console.say(f"{name:<12} {value}")


def built(result: Result, console: Console) -> None:
    """Where the wheel is, how long each station took, and how to install it."""
    wheel = result.wheel
    console.say()
    if not result.built and not set(console.times) & {"smoke"}:
        console.say(f"finished before under the same key; nothing was built ({result.plan.key[:16]})")
    times = ", ".join(f"{name} {duration(seconds)}" for name, seconds in console.times.items())
    size = wheel.stat().st_size / 1e6
    console.say(f"times    {times}")
    console.say(f"results  {_short(result.folder)}")
    console.say(f"wheel    {wheel.name} ({size:.1f} MB)")
    console.say(f"install  pip install {shlex.quote(str(_short(wheel)))}")


def fetched(obtained: Sequence[Obtained], console: Console) -> None:
    """Each source with where it came from."""
    table = Table("source", "sha256", "MB", "from", box=None, pad_edge=False, header_style="bold")
    for each in obtained:
        size = f"{each.path.stat().st_size / 1e6:.1f}"
        table.add_row(each.source.name, each.path.name[:16], size, each.origin)
    console.table(table)


def locked(made: Lock, console: Console) -> None:
    """What a lock holds, and what a person should know about it."""
    for note in made.notes:
        console.note(note)
    devices = sorted({str(value) for source in made.sources for value in source.when.get("device", ())})
    parts = [
        f"{device}: {sum(device in source.when.get('device', ()) for source in made.sources)}"
        for device in devices
    ]
    console.say(
        f"{_short(made.path)}: {len(made.sources)} sources" + "".join(f", for {part}" for part in parts)
    )


def machine(findings: Sequence[Finding], console: Console) -> None:
    """What a build needs of this machine."""
    table = Table("", "what", "found", "cure", box=None, pad_edge=False, header_style="bold")
    for finding in findings:
        mark = "[green]✓[/green]" if finding.good else "[red]✗[/red]"
        table.add_row(mark, finding.what, escape(finding.found), escape("" if finding.good else finding.cure))
    console.table(table)


def _inputs(plan: Plan) -> Iterator[tuple[str, str]]:
    for source in plan.sources:
        kind = "tree" if source.tree else "file"
        yield source.digest, f"{kind} {source.name}" + (f" ({source.use})" if source.use != "input" else "")
    for patch, file in plan.patches:
        yield file.sha256, f"patch {patch.file} on {patch.tree}: {patch.why}"
    for file in (plan.toolchain.dockerfile, *plan.scripts, *plan.suite):
        yield file.sha256, file.path


def _short(path: Path) -> Path:
    """Relative to where the person is, where that is shorter."""
    try:
        return path.relative_to(Path.cwd())
    except ValueError:
        return path
