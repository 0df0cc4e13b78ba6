"""Runs the steps that make a wheel: which variables each of them has, and what it may write to."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from kiln.build import cache
from kiln.build.budget import Budget
from kiln.build.vitals import CACHE_LOG
from kiln.build.workspace import VENVS_FILES, Line, Workspace, plan_variables
from kiln.engine import Mount
from kiln.plan import VENVS, VENVS_SCRIPT, ContainerStep, prepares, tool_steps
from kiln.shared import ExecutorClient, Used, distcc, relay, sockets

# The step that compiles an interpreter from source.
INTERPRETER = "cpython"


@dataclass(frozen=True)
class BuildRunner:
    """Runs the steps of the stations `compile` and `wheel` in a workspace, with `jobs` compilers at once.

    `budget` limits the steps of the station `compile`, `cache_size` in bytes what ccache keeps for them. `others` is
    what they use of other machines.
    """

    workspace: Workspace
    jobs: int
    budget: Budget | None = None
    cache_size: int = cache.DEFAULT
    others: Used = field(default_factory=Used)

    def run(self, step: ContainerStep, line: Line) -> None:
        """Run one step. Raises CompileError if it fails, BudgetError if the time is over."""
        budget = self.budget if step.station == "compile" else None
        self.workspace.run(step, line, self.environment(step), self.mounts(step), budget=budget)

    def environment(self, step: ContainerStep) -> Mapping[str, str]:
        """The variables of a step. Steps that compile do not see the build key, so it cannot get into the binaries."""
        plan, (shared, executor, helped) = self.workspace.plan, self._used(step)
        stamp = {"KILN_STAMP": plan.stamp} if step.station == "wheel" else {}
        # Without a cache the compiler is run as it is.
        caching = (
            {
                "CCACHE_MAXSIZE": f"{max(1, self.cache_size // 10**6)}M",
                "CCACHE_STATSLOG": f"/kiln/build/{CACHE_LOG}",
            }
            if self._cache(step)
            else {"CCACHE_DISABLE": "1"}
        )
        return {
            **plan_variables(plan),
            "KILN_JOBS": str(max(self.jobs, helped.jobs if helped else 0)),
            "KILN_PATCHES": " ".join(f"{each.tree}:{each.file}" for each, _ in plan.patches),
            **caching,
            **(sockets.variables(shared.cache.write) if shared else {}),
            **(_executor_variables(executor) if executor else {}),
            **(helped.variables() if helped else {}),
            **stamp,
        }

    def mounts(self, step: ContainerStep) -> list[Mount]:
        """What a step has: the pinned files, but not those of the smoke suite, patches and source trees.

        A step that compiles has the compile cache, and no other step: what it leaves there is taken by later builds.
        Trees are read-only, except for the step `patch`, and for a step that prepares a source, in the tree of that
        source. Virtual environments are read-only, except for the step that makes them. The step that compiles the
        interpreter has no tree: a run that only tests a wheel unpacks none.
        """
        workspace, plan = self.workspace, self.workspace.plan
        interpreter = step.name == INTERPRETER
        files = [each for each in workspace.obtained if each.source.is_file and each.source.use != "smoke"]
        mounts = workspace.mounts(files, writable_out=True, writable_interpreter=interpreter)
        found = self._cache(step)
        if found:
            mounts.append(Mount(found, "/kiln/ccache", writable=True))
        used = self._used(step)
        if any(used):
            mounts.append(Mount(workspace.sockets, sockets.FOLDER))
        if used.helped:
            mounts.append(Mount(used.helped.programs, distcc.PROGRAMS))
        if interpreter:
            return mounts
        making = step.script == VENVS_SCRIPT
        venvs = workspace.partial_venvs if making else workspace.venvs
        mounts.append(Mount(venvs / VENVS_FILES, VENVS, writable=making))
        if plan.patches:
            mounts.append(Mount((workspace.root / plan.patches[0][1].path).parent, "/kiln/patches"))
        for source in plan.sources:
            if not source.is_file:
                writable = step.name in ("patch", prepares(source))
                mounts.append(Mount(workspace.trees / source.name, f"/kiln/trees/{source.name}", writable))
        return mounts

    def _used(self, step: ContainerStep) -> Used:
        """What a step uses of other machines: nothing where every recipe uses its result.

        Tools are made on each machine: what runs there must not depend on what others have made.
        """
        if step.name == INTERPRETER or not self._cache(step):
            return Used()
        return Used(self.others.cache) if step in tool_steps(self.workspace.plan) else self.others

    def _cache(self, step: ContainerStep) -> Path | None:
        """The compile cache of a step; None for one that has none."""
        if step.name == INTERPRETER:
            return self.workspace.interpreter_cache
        # What comes before the recipe's own steps runs foreign code, such as the build of a package.
        own = {(each.name, each.run) for each in self.workspace.plan.recipe.steps}
        compiles = step.station == "compile" and (step.name, step.script) in own
        return self.workspace.cache if compiles else None


def _executor_variables(executor: ExecutorClient) -> dict[str, str]:
    """How Bazel finds the executor's socket, and which workers it asks for."""
    return {
        "KILN_REMOTE_EXECUTOR": f"{sockets.FOLDER}/{relay.GRPC}",
        "KILN_REMOTE_INSTANCE": executor.executor.instance,
        "KILN_REMOTE_TOOLCHAIN": executor.toolchain,
    }
