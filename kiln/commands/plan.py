"""`./inv plan`: everything that a build depends on, as people and programs read it."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from dataclasses import asdict

from kiln import plan
from kiln.commands.printing import megabytes
from kiln.core import Console
from kiln.plan import Plan, Request
from kiln.recipe import Catalogue, Image


def run(catalogue: Catalogue, request: Request, json_wanted: bool) -> None:
    """Print the plan of a request."""
    made = plan.make(catalogue, request)
    if json_wanted:
        sys.stdout.write(made.to_json())
    else:
        show(made, Console.for_output())


def show(plan: Plan, console: Console) -> None:
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
        "results": f"dist/{plan.folder}",
        "build key": plan.key,
    }
    for name, value in facts.items():
        console.say(f"{name:<12} {value}")


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
