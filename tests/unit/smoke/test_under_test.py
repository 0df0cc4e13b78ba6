from __future__ import annotations

import os
from pathlib import Path

import pytest

from kiln.build import record
from kiln.core.errors import UsageError
from kiln.plan import planner
from kiln.plan.planner import Request
from kiln.recipe import Catalogue
from kiln.smoke import under_test
from tests.support import repository
from tests.support.repository import RECIPE
from tests.support.sound_wheel import make

NAMED = RECIPE.replace(
    "smoke: {suite: smoke/toy}", "smoke: {suite: smoke/toy, distributions: [toy, Toy.Contrib]}"
)
CPYTHON = """\
sources:
  - name: cpython
    origins: [{url: "https://p.example/python.tar.gz", sha256: "CCCC"}]
  - name: toy
""".replace("CCCC", "c" * 64)


@pytest.fixture
def root(tmp_path: Path) -> Path:
    text = NAMED.replace("sources:\n  - name: toy\n", CPYTHON)
    text = text.replace('releases: {"1.0": {}}', 'releases: {"1.0": {}, "1.0.1": {}}')
    return repository.make(tmp_path / "root", text)


def wheel(folder: Path, name: str, distribution: str, version: str, stamp: str = "") -> Path:
    """A sound wheel of another name; `make` has toy 1.0."""
    folder.mkdir(parents=True, exist_ok=True)
    return make(folder, name, distribution=distribution, version=version, stamp=stamp)


@pytest.mark.parametrize(
    ("name", "distribution", "version", "release", "python"),
    [
        ("toy-1.0-cp37-cp37m-manylinux1_x86_64.whl", "toy", "1.0", "1.0", "3.7"),
        ("toy-1.0.1-cp311-cp311-linux_x86_64.whl", "toy", "1.0.1", "1.0.1", "3.11"),
        ("toy-1.0.1.38-cp37-cp37m-linux_x86_64.whl", "toy", "1.0.1.38", "1.0.1", "3.7"),
        ("toy_contrib-1.0-py3-none-any.whl", "toy-contrib", "1.0", "1.0", "3.11"),
        ("toy-1.0-cp36-abi3-linux_x86_64.whl", "toy", "1.0", "1.0", "3.11"),
    ],
)
def test_the_suite_for_a_wheel_from_elsewhere_follows_from_its_name_version_and_tags(
    root: Path, tmp_path: Path, name: str, distribution: str, version: str, release: str, python: str
) -> None:
    found = under_test.wheel_under_test(
        Catalogue(root), wheel(tmp_path / "w", name, distribution, version), Request("")
    )
    assert (found.request.recipe, found.request.release, found.request.python) == ("toy", release, python)
    assert found.foreign
    assert "what would be compared with a plan is skipped" in found.notes[-1]


def test_a_version_that_no_recipe_has_gets_the_default_suite_and_that_is_said(
    root: Path, tmp_path: Path
) -> None:
    path = wheel(tmp_path / "w", "toy-9-py3-none-any.whl", "toy", "9")
    found = under_test.wheel_under_test(Catalogue(root), path, Request(""))
    assert found.request.release == "1.0.1"
    assert "no recipe has version 9: the suite is that of 1.0.1" in found.notes


def test_an_option_says_otherwise(root: Path, tmp_path: Path) -> None:
    path = wheel(tmp_path / "w", "other-3-py3-none-any.whl", "other", "3")
    found = under_test.wheel_under_test(Catalogue(root), path, Request("toy", "1.0", python="3.7"))
    assert (found.request.release, found.request.python) == ("1.0", "3.7")
    with pytest.raises(
        UsageError, match="no recipe's suite is for a distribution named other: give --recipe, one of toy"
    ):
        under_test.wheel_under_test(Catalogue(root), path, Request(""))


def test_a_wheel_says_itself_by_what_plan_it_was_built(root: Path, tmp_path: Path) -> None:
    made = planner.make(Catalogue(root), Request("toy", "1.0", cpu_features="avx2", options={"parts": "one"}))
    path = wheel(tmp_path / "w", "toy-1.0-cp311-cp311-linux_x86_64.whl", "toy", "1.0", made.stamp)
    found = under_test.wheel_under_test(Catalogue(root), path, Request(""))
    assert found.key == made.key and not found.foreign
    assert planner.make(Catalogue(root), found.request).key == made.key


def test_the_plan_beside_a_wheel_counts_as_long_as_it_is_as_it_was_recorded(
    root: Path, tmp_path: Path
) -> None:
    made = planner.make(Catalogue(root), Request("toy", "1.0"))
    path = make(tmp_path)
    for name in ("log", "smoke.xml"):
        (tmp_path / name).write_text("x")
    found = record.write(tmp_path / "results", made, path, tmp_path / "log", [tmp_path / "smoke.xml"])
    folder, beside = found.folder, found.wheel
    found = under_test.wheel_under_test(Catalogue(root), beside, Request(""))
    assert (found.key, planner.make(Catalogue(root), found.request).key) == (made.key, made.key)
    (folder / "plan.json").write_text((folder / "plan.json").read_text().replace("avx", "sse"))
    (folder / "build.log").write_text("changed")
    assert under_test.wheel_under_test(Catalogue(root), beside, Request("")).foreign


@pytest.mark.parametrize(
    "stamp", ["{", "[]", '{"build_key": "x"}', '{"recipe": 1, "version": 2, "options": 3, "variant": 4}']
)
def test_a_stamp_that_kiln_did_not_write_is_refused(root: Path, tmp_path: Path, stamp: str) -> None:
    path = wheel(tmp_path / "w", "toy-1.0-py3-none-any.whl", "toy", "1.0", stamp)
    with pytest.raises(UsageError, match=r"its kiln\.json is not one that Kiln wrote"):
        under_test.wheel_under_test(Catalogue(root), path, Request(""))


def test_what_is_no_sound_wheel_is_refused(root: Path, tmp_path: Path) -> None:
    path = tmp_path / "toy-1.0-py3-none-any.whl"
    path.write_bytes(b"PK")
    with pytest.raises(UsageError, match="not a sound wheel: get it again"):
        under_test.wheel_under_test(Catalogue(root), path, Request(""))


def test_the_newest_finished_wheel_is_taken_where_none_is_named(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="there is no finished wheel under"):
        under_test.newest_wheel(tmp_path)
    for moment, name in enumerate(("b", "a", "smoke")):
        path = tmp_path / "toy/1.0" / name / "toy.whl"
        path.parent.mkdir(parents=True)
        path.write_bytes(b"")
        os.utime(path, (moment, moment))
    assert under_test.newest_wheel(tmp_path).parent.name == "smoke"
