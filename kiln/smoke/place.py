"""A smoke run in containers, and the variables of a smoke run wherever it is."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from kiln.archive import Wheel
from kiln.build import Line, Workspace, plan_variables
from kiln.core import KilnError, SmokeError
from kiln.engine import Mount
from kiln.plan import ContainerStep, Plan

# Variables that state what a build by the plan would have: a wheel from elsewhere need not have it.
_OF_A_BUILD = ("KILN_VERSION", "KILN_CPU_FEATURES", "KILN_OPT_")


def smoke_variables(plan: Plan, wheel: Wheel, key: str) -> dict[str, str]:
    """The variables of a smoke run of a wheel; `key` is the build key that the wheel must have.

    A wheel from elsewhere has no key, and no values that only a build by this plan would have.
    """
    names = plan.recipe.smoke.packages or tuple(
        each.replace("-", "_") for each in plan.recipe.smoke.distributions or (plan.recipe.name,)
    )
    known = plan_variables(plan)
    if key:
        known |= {"KILN_BUILD_KEY": key, "KILN_DEVICE": plan.variant.device}
    else:
        known = {name: value for name, value in known.items() if not name.startswith(_OF_A_BUILD)}
    return {
        **known,
        "KILN_SUITE": plan.recipe.smoke.suite,
        "KILN_DISTRIBUTION": wheel.name,
        "KILN_WHEEL_VERSION": wheel.version,
        "KILN_PACKAGES": " ".join(names),
    }


@dataclass(frozen=True)
class ContainerRunner:
    """Runs the steps of the stations `smoke` and `speed` in a workspace, which has the wheel in its folder `out`."""

    workspace: Workspace
    variables: Mapping[str, str]

    @property
    def plan(self) -> Plan:
        return self.workspace.plan

    @property
    def build(self) -> Path:
        return self.workspace.build

    @property
    def out(self) -> Path:
        return self.workspace.out

    @property
    def trees(self) -> Path:
        return self.workspace.trees

    @property
    def log(self) -> Path:
        return self.workspace.log

    def run(self, step: ContainerStep, line: Line, failure: type[KilnError] = SmokeError) -> None:
        """Run one step; its output goes to the log and to `line`. Raises `failure` with the cause found in it."""
        self.workspace.run(step, line, self.variables, self._mounts(), failure)

    def _mounts(self) -> list[Mount]:
        files = [each for each in self.workspace.obtained if each.source.is_file]
        trees = [each.source.name for each in self.workspace.obtained if not each.source.is_file]
        suite = (Mount(self.workspace.root / path, f"/kiln/{path}") for path in self.plan.suite_folders)
        return [
            *self.workspace.mounts(files, writable_out=False),
            *(Mount(self.trees / name, f"/kiln/trees/{name}") for name in trees),
            *suite,
        ]
