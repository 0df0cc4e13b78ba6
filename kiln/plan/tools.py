"""What another machine must have to run the actions of a plan: the image, and what is made beside it before a compile."""

from __future__ import annotations

from dataclasses import asdict

from kiln.plan.model import GLIBC_SCRIPT, VENVS_SCRIPT, ContainerStep, Plan, digest_of, prepares
from kiln.recipe import Source

# The folders of docker/ whose scripts make tools; those of a toolchain's own folder compile the product.
_FOLDERS = ("common/", "glibc/", "cuda/")


def tool_steps(plan: Plan) -> tuple[ContainerStep, ...]:
    """The steps that make what actions run: environments, what an older glibc is linked with, compilers."""
    others = {"patch", *(prepares(source) for source in plan.sources)}
    return tuple(
        step
        for step in plan.steps
        if step.station == "compile" and step.script.startswith(_FOLDERS) and step.name not in others
    )


def tool_sources(plan: Plan) -> tuple[Source, ...]:
    """The sources that those steps read, and an interpreter's."""
    uses = {"build", "tools"} | ({"input"} if _larger(plan) else set())
    return tuple(
        source
        for source in plan.sources
        if source.is_file
        and (source.use in uses or (plan.interpreter.kind == "source" and source.name == "cpython"))
    )


def tools_digest(plan: Plan) -> str:
    """The name of all that: where it is the same, an action gives the same bytes."""
    steps = tool_steps(plan)
    folders = tuple(f"docker/{folder}" for folder in _FOLDERS)
    return digest_of(
        {
            "toolchain": plan.toolchain.digest,
            "interpreter": plan.interpreter.identity,
            "venvs": plan.venvs_name,
            "device": plan.variant.device,
            "glibc": plan.variant.glibc,
            "steps": [asdict(step) for step in steps],
            "scripts": [asdict(file) for file in plan.scripts if file.path.startswith(folders)],
            # A compiler that is made from source follows from more.
            "environment": dict(plan.environment) if _larger(plan) else {},
            "sources": [[source.name, source.digest] for source in tool_sources(plan)]
            if _larger(plan)
            else [],
        }
    )


def _larger(plan: Plan) -> bool:
    """Whether tools are made of more than packages of Python and the image itself."""
    return bool({step.script for step in tool_steps(plan)} - {VENVS_SCRIPT, GLIBC_SCRIPT})
