"""Repairs, tags and normalises a raw wheel in the toolchain, and inspects the result here."""

from __future__ import annotations

from kiln.archive import Wheel, inspect_wheel
from kiln.build.runner import BuildRunner
from kiln.core import CompileError, Console, is_plain


def finish_wheel(runner: BuildRunner, console: Console) -> Wheel:
    """Make the finished wheel from the raw one in `out/raw`: repaired, with its true tags, normalised.

    Raises CompileError if the repair fails, which leaves the raw wheel, or if the result is not a sound wheel.
    """
    workspace = runner.workspace
    for step in workspace.plan.steps:
        if step.station == "wheel":
            with console.status(step.name) as line:
                try:
                    runner.run(step, line)
                except CompileError as error:
                    left = f"  the raw wheel, until the next build: {workspace.out / 'raw'}"
                    raise error.adding(left) from error
    # A link that a step has left may lead to any file of this machine.
    wheels = sorted(filter(is_plain, workspace.out.glob("*.whl")))
    if len(wheels) != 1:
        raise CompileError(
            f"the repair left {len(wheels)} wheels instead of one", f"read the whole log: {workspace.log}"
        )
    wheel = inspect_wheel(wheels[0])
    version = workspace.plan.variant.python
    python = f"cp{version.replace('.', '')}"
    if not any(tag.startswith(f"{python}-") or tag.startswith("py3-") for tag in wheel.tags):
        raise CompileError(
            f"{wheel.path.name} is not for Python {version}: its tags are {', '.join(wheel.tags)}",
            "correct the recipe's packing step",
        )
    return wheel
