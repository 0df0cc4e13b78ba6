"""From unpacked sources to a raw wheel: a recipe's steps, in containers without a network."""

from __future__ import annotations

import contextlib
import json
from pathlib import Path

from kiln import sources
from kiln.build.runner import INTERPRETER, BuildRunner
from kiln.build.venvs import ensure_venvs
from kiln.build.vitals import Vitals
from kiln.core import CompileError, Console, UsageError, give, is_plain, remove
from kiln.plan import VENVS_SCRIPT, ContainerStep, prepares
from kiln.shared import sockets

# What is known of the pinned inputs, for the scripts that write the SBOM.
PARTS = "parts.json"


def compile_wheel(runner: BuildRunner, console: Console) -> Path:
    """Run all steps of the station `compile`; the result is the raw wheel that the last one leaves.

    Raises CompileError if a step fails, UsageError if the interpreter does not run in the base.
    """
    runner.workspace.prepare()
    folder = runner.workspace.sockets
    with contextlib.ExitStack() as stack:
        cache, executor, helped = runner.others
        if cache:
            stack.enter_context(sockets.opened(cache, folder))
        if executor:
            stack.enter_context(executor.opened(folder))
        if helped:
            stack.enter_context(helped.opened(folder))
        return _compiled(runner, console)


def _compiled(runner: BuildRunner, console: Console) -> Path:
    workspace = runner.workspace
    parts = {"license": workspace.plan.recipe.license, "parts": workspace.plan.parts}
    (workspace.build / PARTS).write_text(json.dumps(parts, sort_keys=True), encoding="utf-8")
    plan, owner = workspace.plan, workspace.engine.owner
    epoch = plan.recipe.source_date_epoch
    prepared = {prepares(source): source for source in plan.sources if source.prepare}
    patched = {patch.tree for patch, _ in plan.patches}
    with console.status("unpacking and checking the source trees") as line:
        for each in workspace.obtained:
            if not each.source.is_file:
                line(each.source.name)
                tree = workspace.trees / each.source.name
                sources.unpack_tree(each, tree, epoch)
                if each.source.name in patched or each.source.prepare:
                    give(tree, owner, all_inside=True)
    ensure_interpreter(runner, console)
    vitals = Vitals(workspace.build, workspace.meter)
    for step in plan.steps:
        if step.script == VENVS_SCRIPT:
            ensure_venvs(runner, step, console)
        elif step.station == "compile":
            with console.steps(step.name, vitals) as line:
                runner.run(step, line)
            source = prepared.get(step.name)
            if source:
                tree = workspace.trees / source.name
                sources.settle_prepared(source, tree, epoch)
                if source.name in patched:
                    give(tree, owner, all_inside=True)
    # A link that a step has left may lead to any file of this machine.
    wheels = sorted(filter(is_plain, (workspace.out / "raw").glob("*.whl")))
    if len(wheels) != 1:
        raise CompileError(
            f"the steps of {plan.recipe.name} left {len(wheels)} wheels in /kiln/out/raw instead of one",
            f"correct the recipe's last step; the whole log: {workspace.log}",
        )
    return wheels[0]


def ensure_interpreter(runner: BuildRunner, console: Console) -> None:
    """Build the interpreter if it comes from source and is not there yet; check that it runs in the base.

    Raises UsageError if it does not run, CompileError if it cannot be built.
    """
    workspace = runner.workspace
    chosen = workspace.plan.interpreter
    if chosen.kind == "source" and not workspace.interpreter.exists():
        with (
            workspace.home.lock(workspace.interpreter.name, console),
            console.steps(INTERPRETER, Vitals(workspace.build, workspace.meter)) as line,
        ):
            if not workspace.interpreter.exists():
                partial = workspace.interpreter.with_suffix(".partial")
                remove(partial)
                give(partial, workspace.engine.owner)
                runner.run(ContainerStep("compile", INTERPRETER, "common/cpython.sh", "toolchain"), line)
                partial.rename(workspace.interpreter)
    code = "import sys, zlib, ssl, ctypes; print('%d.%d' % sys.version_info[:2])"
    status, lines = workspace.command(workspace.images.runtime, (chosen.executable, "-c", code))
    if status or lines[-1:] != [chosen.version]:
        raise UsageError(
            f"{chosen.executable} does not run as Python {chosen.version} in the base "
            f"{workspace.plan.variant.base} ({lines[-1] if lines else f'status {status}'})",
            "give an interpreter that was built on that distribution or an older one, in a folder that all users "
            "may read",
        )
