"""Runs a recipe's steps in containers without network, from unpacked sources to a raw wheel."""

from __future__ import annotations

from pathlib import Path

from kiln import sources
from kiln.build.workspace import Workspace
from kiln.core import CompileError, Console, UsageError, give, remove
from kiln.plan import ContainerStep, prepares


def compile_wheel(workspace: Workspace, console: Console) -> Path:
    """The raw wheel that the recipe's last step leaves.

    Raises CompileError where a step fails, UsageError where the interpreter does not run in the base.
    """
    workspace.prepare()
    epoch = workspace.plan.recipe.source_date_epoch
    prepared = {prepares(source): source for source in workspace.plan.sources if source.prepare}
    patched = {patch.tree for patch, _ in workspace.plan.patches}
    with console.status("unpacking and checking the source trees") as line:
        for each in workspace.obtained:
            if not each.source.is_file:
                line(each.source.name)
                tree = workspace.trees / each.source.name
                sources.unpack_tree(each, tree, epoch)
                if each.source.name in patched or each.source.prepare:
                    give(tree, workspace.engine.owner, all_inside=True)
    ensure_interpreter(workspace, console)
    for step in workspace.plan.steps:
        if step.station == "compile":
            with console.steps(step.name) as line:
                workspace.run(step, line)
            source = prepared.get(step.name)
            if source:
                tree = workspace.trees / source.name
                sources.settle_prepared(source, tree, epoch)
                if source.name in patched:
                    give(tree, workspace.engine.owner, all_inside=True)
    wheels = sorted((workspace.out / "raw").glob("*.whl"))
    if len(wheels) != 1:
        raise CompileError(
            f"the steps of {workspace.plan.recipe.name} left {len(wheels)} wheels in /kiln/out/raw, not one: "
            f"correct the recipe's last step; the whole log: {workspace.log}"
        )
    return wheels[0]


def ensure_interpreter(workspace: Workspace, console: Console) -> None:
    """Build the interpreter where it comes from source; make sure that it runs in the base.

    Raises UsageError where it does not, CompileError where it cannot be built.
    """
    chosen = workspace.plan.interpreter
    if chosen.kind == "source" and not workspace.interpreter.exists():
        with workspace.home.lock(workspace.interpreter.name, console), console.steps("cpython") as line:
            if not workspace.interpreter.exists():
                partial = workspace.interpreter.with_suffix(".partial")
                remove(partial)
                give(partial, workspace.engine.owner)
                workspace.run(ContainerStep("compile", "cpython", "common/cpython.sh", "toolchain"), line)
                partial.rename(workspace.interpreter)
    code = "import sys, zlib, ssl, ctypes; print('%d.%d' % sys.version_info[:2])"
    status, lines = workspace.command(workspace.images.runtime, (chosen.executable, "-c", code))
    if status or lines[-1:] != [chosen.version]:
        said = lines[-1] if lines else f"status {status}"
        raise UsageError(
            f"{chosen.executable} does not run as Python {chosen.version} in the base "
            f"{workspace.plan.variant.base} ({said}): give an interpreter that was built on that "
            "distribution or an older one, in a folder that every user may read"
        )
