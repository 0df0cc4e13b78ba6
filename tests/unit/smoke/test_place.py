from __future__ import annotations

from pathlib import Path

import pytest

from kiln.archive import Wheel
from kiln.plan import Plan, Request, planner
from kiln.recipe import Catalogue
from kiln.smoke import smoke_variables
from tests.support import repository

WHEEL = Wheel(Path("toy-1.0-py3-none-any.whl"), "toy", "1.0", ("py3-none-any",), ())


@pytest.fixture
def plan(tmp_path: Path) -> Plan:
    return planner.make(Catalogue(repository.make(tmp_path / "root")), Request("toy"))


def test_a_wheel_that_kiln_built_is_compared_with_its_plan(plan: Plan) -> None:
    variables = smoke_variables(plan, WHEEL, "f" * 64)
    assert variables["KILN_BUILD_KEY"] == "f" * 64
    assert variables["KILN_DEVICE"] == "cpu"
    assert (variables["KILN_VERSION"], variables["KILN_CPU_FEATURES"]) == ("1.0", "sse4.2")
    assert variables["KILN_OPT_PARTS"] == "all"


def test_a_wheel_from_elsewhere_is_not_compared_with_a_plan(plan: Plan) -> None:
    variables = smoke_variables(plan, WHEEL, "")
    assert not {"KILN_BUILD_KEY", "KILN_DEVICE", "KILN_VERSION", "KILN_CPU_FEATURES"} & set(variables)
    assert not [name for name in variables if name.startswith("KILN_OPT_")]


@pytest.mark.parametrize("key", ["f" * 64, ""])
def test_every_suite_knows_its_wheel_and_its_interpreter(plan: Plan, key: str) -> None:
    variables = smoke_variables(plan, WHEEL, key)
    assert variables["KILN_SUITE"] == "smoke/toy"
    assert (variables["KILN_DISTRIBUTION"], variables["KILN_WHEEL_VERSION"]) == ("toy", "1.0")
    assert variables["KILN_PACKAGES"] == "toy"
    assert variables["KILN_PYTHON"] == "/usr/bin/python3.11"
