"""Repairs, tags and normalises a raw wheel (in the toolchain), and inspects what came out (here)."""

from __future__ import annotations

from kiln.archive import Wheel, inspect_wheel
from kiln.build.workspace import Workspace
from kiln.core import CompileError, Console


def finish_wheel(workspace: Workspace, console: Console) -> Wheel:
    """The raw wheel in `out/raw`, repaired, truly tagged and normalised.

    Raises CompileError where the repair fails or the wheel is not sound; the raw wheel is kept then.
    """
    for step in workspace.plan.steps:
        if step.station == "wheel":
            with console.status(step.name) as line:
                try:
                    workspace.run(step, line)
                except CompileError as error:
                    raw = workspace.out / "raw"
                    raise CompileError(f"{error}\n  the raw wheel, until the next build: {raw}") from error
    wheels = sorted(workspace.out.glob("*.whl"))
    if len(wheels) != 1:
        raise CompileError(
            f"the repair left {len(wheels)} wheels, not one: see the whole log, {workspace.log}"
        )
    wheel = inspect_wheel(wheels[0])
    python = f"cp{workspace.plan.variant.python.replace('.', '')}"
    if not any(tag.startswith(f"{python}-") or tag.startswith("py3-") for tag in wheel.tags):
        raise CompileError(
            f"{wheel.path.name} is not for Python {workspace.plan.variant.python}: its tags are "
            f"{', '.join(wheel.tags)}; correct the recipe's packing step"
        )
    return wheel
