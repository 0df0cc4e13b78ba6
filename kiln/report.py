"""Plans and results as people read them."""

from __future__ import annotations

import json
import shlex
from collections.abc import Iterator, Sequence
from dataclasses import asdict
from pathlib import Path

from rich.markup import escape
from rich.table import Column, Table

from kiln.build import Result
from kiln.collect import Item
from kiln.console import Console, duration
from kiln.doctor import Finding
from kiln.download import host
from kiln.lock import Lock
from kiln.matrix import Row
from kiln.plan import Plan
from kiln.sources import Obtained
from kiln.status import Standing
from kiln.vault import Vault, sha256_of


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
    """Where the wheel is, how long each station took, how to install it, and where its GPU's part is tested."""
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
    if result.plan.variant.device != "cpu":
        # The container of the smoke run is given no GPU.
        console.say(f"on a GPU ./inv smoke {shlex.quote(str(_short(wheel)))} --venv")


def fetched(obtained: Sequence[Obtained], vault: Vault, console: Console) -> None:
    """Each source with where it came from: a mirror or a folder, too, which a record of a build does not name."""
    table = Table("source", "sha256", "MB", "from", box=None, pad_edge=False, header_style="bold")
    for each in obtained:
        size = f"{each.path.stat().st_size / 1e6:.1f}"
        table.add_row(
            each.source.name, each.path.name[:16], size, vault.origin_of(each.path.name) or each.origin
        )
    console.table(table)


def bundled(bundle: Path, plan: Plan, console: Console) -> None:
    """Where a bundle is, its hash to compare where it arrives, and how it is used there."""
    console.say(f"bundle   {_short(bundle)} ({_megabytes(bundle.stat().st_size)} MB)")
    console.say(f"sha256   {sha256_of(bundle)}")
    recipe = f"{plan.recipe.name}/{plan.recipe.version}"
    console.say(
        f"there    ./inv build {recipe} --bundle {shlex.quote(bundle.name)} --offline [the same options]"
    )


def standings(standings: Sequence[Standing], console: Console) -> None:
    """Each source, whether it is in the vault, its size, and where it came from or could come from."""
    table = _table("", "source", "MB", "from")
    for each in standings:
        mark = "[green]✓[/green]" if each.path else "[red]✗[/red]"
        size = "?" if each.size is None else f"{each.size / 1e6:.1f}"
        where = (each.origin or "not recorded") if each.path else "missing; " + _supplied(each)
        name = each.source.name + (f" ({each.source.use})" if each.source.use != "input" else "")
        table.add_row(mark, escape(name), size, escape(where))
    console.table(table)
    missing = [each for each in standings if not each.path]
    total = sum(each.size or 0 for each in standings if each.path) / 1e6
    console.say(f"\n{len(standings) - len(missing)} of {len(standings)} in the vault ({total:.1f} MB)")
    if any(each.answers for each in standings):
        dead = [(each, answer) for each in standings for answer in each.dead]
        console.say(f"{len(dead)} dead URLs" + (":" if dead else ""))
        for each, answer in dead:
            console.say(f"  {each.source.name}: {answer.url} {answer.reason}")
            for other in each.answers:
                if not other.reason:
                    console.say(f"    but it is at {other.url}")


def standings_json(standings: Sequence[Standing]) -> str:
    """The same for programs."""
    return json.dumps([each.to_json() for each in standings], indent=2, sort_keys=True) + "\n"


def _supplied(standing: Standing) -> str:
    """What could supply a missing source, in short: the URLs known to have it, else all that can be asked."""
    alive = [answer.url for answer in standing.answers if not answer.reason]
    if alive:
        return f"is at {', '.join(alive)}"
    return "ask " + (", ".join(dict.fromkeys(map(_brief, standing.supply))) or "nobody")


def _brief(place: str) -> str:
    """The host of a URL; of other places, what they are."""
    kind, _, rest = place.partition(": ")
    if rest and kind in ("git", "pypi", "npm"):
        repository = rest.partition(" at ")[0]
        return (
            f"git {host(repository) or repository}" if kind == "git" else {"pypi": "pip", "npm": "npm"}[kind]
        )
    return host(place) or place


def collected(items: Sequence[Item], spared: Sequence[Item], removed: bool, console: Console) -> None:
    """Every item that goes, with its reason, and in sums what is kept."""
    going = [item for item in items if not item.keep and item not in spared]
    table = _table("", "what", "MB", "why")
    for item in going:
        table.add_row("remove", f"{item.kind} {escape(item.name)}", _megabytes(item.size), escape(item.why))
    kept: dict[tuple[str, str], list[int]] = {}
    for item in items:
        if item not in going:
            kept.setdefault((item.kind, "in use" if item in spared else item.why), []).append(item.size)
    for (kind, why), sizes in kept.items():
        table.add_row("keep", f"{len(sizes)} {kind}", _megabytes(sum(sizes)), escape(why))
    console.table(table)
    size = _megabytes(sum(item.size for item in going))
    if removed:
        console.say(f"\nremoved {len(going)}, {size} MB")
    else:
        console.say(f"\n{len(going)} to remove, {size} MB; nothing is removed before `--no-dry-run` says so")


def matrix(rows: Sequence[Row], console: Console) -> None:
    """The builds that CI makes, each with what a person would type."""
    table = _table("row", "command", "jobs")
    for row in rows:
        table.add_row(row.name, escape(row.to_json()["command"]), str(row.parts))
    console.table(table)


def _table(*titles: str) -> Table:
    """A table whose cells are never cut."""
    columns = (Column(title, overflow="fold") for title in titles)
    return Table(*columns, box=None, pad_edge=False, header_style="bold")


def _megabytes(size: int) -> str:
    return f"{size / 1e6:.1f}"


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
        kind = "file" if source.tree is None else "packed tree" if source.packed else "tree"
        use = f" ({source.use})" if source.use != "input" else ""
        given = " given by hand" if source.substituted else ""
        instead = f"{given}, instead of the archive {source.instead_of}" if source.instead_of else ""
        yield source.digest, f"{kind} {source.name}{use}{instead}"
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
