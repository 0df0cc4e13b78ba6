"""`./inv plan`: everything that a build depends on, as people and programs read it."""

from __future__ import annotations

import sys
from collections.abc import Iterator, Mapping
from dataclasses import asdict

from kiln import plan
from kiln.commands.printing import megabytes
from kiln.core import Console
from kiln.plan import Advice, Plan, Request
from kiln.recipe import Catalogue, Image
from kiln.sources import route


def run(catalogue: Catalogue, request: Request, environment: Mapping[str, str], json_wanted: bool) -> None:
    """Print the plan of a request, and by which way this machine gets its files."""
    made = plan.make(catalogue, request)
    known = plan.advice(catalogue, made)
    if json_wanted:
        sys.stdout.write(made.to_json(advice=known.value()))
    else:
        show(made, known, Console.for_output(), route.described(environment))


def show(plan: Plan, known: Advice, console: Console, way: str = "") -> None:
    """Every input with its hash, every container step, the limits, and the build key."""
    title = f"{plan.recipe.name} {plan.recipe.version}  {plan.variant_name}"
    console.say(f"{title}\n{plan.recipe.summary}\n")
    console.say("inputs")
    for digest, what in _inputs(plan):
        console.say(f"  {digest}  {what}")
    console.say("steps")
    for step in plan.steps:
        console.say(f"  {step.station:<8} {step.name:<10} bash /kiln/{step.script} in the image {step.image}")
    console.say("images")
    for image in plan.toolchain.images:
        console.say(f"  {image.root}  {image.name}: {_packages(image)}")
    facts = {
        "interpreter": f"{plan.interpreter.executable} ({plan.interpreter.kind})",
        "options": ", ".join(f"{name}={value}" for name, value in plan.options.items()) or "none",
        "limits": ", ".join(
            f"{name.replace('_', ' ')}: {value}" for name, value in asdict(plan.limits).items()
        ),
        "platform": _platform(known),
        "installs on": _installs_on(known),
        "verified": f"{known.seen.result} ({known.seen.recorded})"
        if known.seen
        else f"not this variant; `./inv recipes {plan.recipe.name}` shows which were",
        "measured": f"{known.needs.memory / 1000:.1f} GB of memory with {known.needs.jobs} compilers at once, "
        f"{known.needs.disk / 1000:.1f} GB of disk"
        if known.needs
        else "not what such a build uses of a machine",
        **({"network": way} if way else {}),
        "results": f"dist/{plan.folder}",
        "build key": plan.key,
    }
    for name, value in facts.items():
        console.say(f"{name:<12} {value}")


def _platform(known: Advice) -> str:
    recorded = f"{known.tag}, which recorded builds of this recipe have"
    if known.measured and known.brings_newer:
        return f"{recorded}: libraries of the base that are in the wheel need a newer glibc than it is linked for"
    if known.measured:
        return f"{recorded}; at most {known.ceiling}, by its glibc"
    return f"at most {known.ceiling}, by the glibc that it is linked for: no such build is recorded"


def _installs_on(known: Advice) -> str:
    newer = ", ".join(f"{name} {version}" for name, version in known.works)
    none = f"; no {' or '.join(known.too_old)} yet" if known.too_old else ""
    return f"x86-64 with glibc {known.glibc} and pip {known.pip} or newer: {newer or 'none known'}, and later ones{none}"


def _packages(image: Image) -> str:
    suites = " and ".join(dict.fromkeys(package.suite for package in image.packages))
    own = (
        f"{len(image.packages)} packages of {suites}, {megabytes(image.size)} MB" if suites else "no package"
    )
    return f"{own}, on {len(image.installed)} of {image.registry.image}" if image.registry else own


def _inputs(plan: Plan) -> Iterator[tuple[str, str]]:
    for source in plan.sources:
        kind = "file" if source.tree is None else "packed tree" if source.packed else "tree"
        use = f" ({source.use})" if source.use != "input" else ""
        given = " given by hand" if source.substituted else ""
        instead = f"{given}, instead of the archive {source.instead_of}" if source.instead_of else ""
        yield source.digest, f"{kind} {source.name}{use}{instead}"
    for patch, file in plan.patches:
        yield file.sha256, f"patch {patch.file} on {patch.tree}: {patch.why}"
    for file in (*plan.scripts, *plan.suite):
        yield file.sha256, file.path
