from __future__ import annotations

import json
from dataclasses import asdict
from pathlib import Path

import pytest

from kiln.plan import Advice, advice, planner
from kiln.plan.planner import Request
from kiln.recipe import Catalogue
from tests.support import repository
from tests.support.command import run
from tests.support.repository import ROOT

RUN = '{release: "1.0", device: cpu, python: ["3.11"], state: tested, passed: 7, recorded: "2026-01-01, 0123456"'
SEEN = f"""\
runs:
  - {RUN}, options: {{fast: false}}, tag: manylinux_2_28}}
  - {RUN}, options: {{parts: one}}, note: one more thing}}
needs:
  - {{memory: 1000, jobs: 2, job: 100, disk: 500, when: {{fast: false}}}}
"""


def known(root: Path, **asked: object) -> Advice:
    catalogue = Catalogue(root)
    return advice(catalogue, planner.make(catalogue, Request("toy", **asked)))  # type: ignore[arg-type]


@pytest.fixture
def root(tmp_path: Path) -> Path:
    platforms = "distributions:\n  - {name: Toy Linux, glibc: {'1': '2.27', '2': '2.28', '3': '2.40'}}\n"
    files = {"recipes/toy/verified.yaml": SEEN, "recipes/platforms.yaml": platforms}
    return repository.make(tmp_path, **files)


def test_a_plan_that_was_built_before_says_how_that_went_and_what_it_used(root: Path) -> None:
    found = known(root, options={"fast": False})
    assert found.seen is not None and found.seen.result == "built and tested: 7 passed, 0 skipped"
    assert found.needs is not None and found.needs.memory == 1000
    other = known(root)
    assert (other.seen, other.needs) == (None, None)
    # What else was chosen is not known from the options, so that no plan is that build.
    assert known(root, options={"parts": "one"}).seen is None


def test_the_platform_is_that_of_a_recorded_build_or_at_most_the_base_s(root: Path, tmp_path: Path) -> None:
    found = known(root)
    assert (found.tag, found.measured, found.ceiling) == ("manylinux_2_28", True, "manylinux_2_36")
    assert found.works == (("Toy Linux", "2"),) and not found.brings_newer
    (root / "recipes/toy/verified.yaml").unlink()
    unknown = known(root)
    assert (unknown.tag, unknown.measured) == ("manylinux_2_36", False)
    assert unknown.works == (("Toy Linux", "3"),)


def test_of_several_recorded_builds_the_platform_is_that_of_the_one_most_like_it(root: Path) -> None:
    other = f"  - {RUN}, options: {{fast: false, parts: one}}, tag: manylinux_2_35}}\n"
    (root / "recipes/toy/verified.yaml").write_text(
        SEEN.replace("needs:", other + "needs:"), encoding="utf-8"
    )
    assert known(root, options={"parts": "one", "fast": False}).tag == "manylinux_2_35"
    newest = SEEN.replace("manylinux_2_28", "manylinux_2_40")
    (root / "recipes/toy/verified.yaml").write_text(newest, encoding="utf-8")
    assert known(root).brings_newer
    (root / "recipes/toy/verified.yaml").write_text(
        SEEN.replace("needs:", other + "needs:"), encoding="utf-8"
    )
    assert known(root, options={"fast": False}).tag == known(root).tag == "manylinux_2_28"


def test_what_was_seen_is_in_no_key(root: Path) -> None:
    before = planner.make(Catalogue(root), Request("toy")).key
    (root / "recipes/toy/verified.yaml").unlink()
    (root / "recipes/platforms.yaml").unlink()
    assert planner.make(Catalogue(root), Request("toy")).key == before


def test_the_plan_says_it_to_people_and_programs(tmp_path: Path) -> None:
    printed = run(tmp_path, "plan", "opencv").stdout
    assert "platform     manylinux_2_17, " in printed
    assert "pip 19.3 or newer: Debian 10, Ubuntu 18.04, " in printed
    native = run(tmp_path, "plan", "opencv", "--glibc", "native").stdout
    assert "platform     manylinux_2_35, " in native
    assert "pip 20.3 or newer: Debian 12, Ubuntu 22.04, " in native and "no Amazon Linux yet" in native
    value = json.loads(run(tmp_path, "plan", "opencv", "--json").stdout)["advice"]
    found = advice(Catalogue(ROOT), planner.make(Catalogue(ROOT), Request("opencv")))
    assert value["tag"] == found.tag and found.seen is not None
    assert value["seen"]["passed"] == asdict(found.seen)["passed"] == 572
