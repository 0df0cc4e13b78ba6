from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from kiln.plan import Plan, Request, make, tool_sources, tool_steps, tools_digest
from kiln.recipe import Catalogue
from tests.support.repository import ROOT


@pytest.fixture(scope="module")
def catalogue() -> Catalogue:
    return Catalogue(ROOT)


def planned(catalogue: Catalogue, **more: object) -> Plan:
    return make(catalogue, Request("tensorflow", **more))  # type: ignore[arg-type]


def test_a_worker_makes_what_actions_run_and_nothing_of_the_product(catalogue: Catalogue) -> None:
    plain = planned(catalogue)
    assert [step.name for step in tool_steps(plain)] == ["python", "glibc"]
    assert {source.use for source in tool_sources(plain) if source.name != "cpython"} == {"build", "tools"}
    older = planned(catalogue, options={"compiler": "gcc-9"})
    assert [step.name for step in tool_steps(older)] == ["python", "glibc", "gcc"]
    assert any(source.name.startswith("gcc") for source in tool_sources(older))


def test_workers_with_the_same_tools_run_actions_of_both_builds_and_others_do_not(
    catalogue: Catalogue, tmp_path: Path
) -> None:
    own = planned(catalogue)
    same = [replace(own, options={**own.options, "xla": False}), replace(own, patches=())]
    others = [
        planned(catalogue, glibc="native"),
        planned(catalogue, python="3.6"),
        planned(catalogue, options={"compiler": "gcc-9"}),
    ]
    assert {tools_digest(each) for each in same} == {tools_digest(own)}
    assert len({tools_digest(each) for each in (own, *others)}) == 1 + len(others)
