from __future__ import annotations

from pathlib import Path

import pytest

from kiln.core.errors import UsageError
from kiln.recipe import Catalogue, Run, platforms
from kiln.recipe.verified import Needs, Verified, verified
from tests.support.repository import ROOT

CATALOGUE = Catalogue(ROOT)
FOLDERS = [folder for name in CATALOGUE.names() for folder in CATALOGUE.folders(name)]
RUNS = [(folder, run) for folder in FOLDERS for run in verified(folder).runs]
PAGE = (ROOT / "docs" / "verified.md").read_text(encoding="utf-8").splitlines()


@pytest.mark.parametrize(("folder", "run"), RUNS, ids=lambda value: getattr(value, "recorded", None))
def test_a_recorded_build_is_one_that_the_recipe_has_and_the_page_says_the_same(
    folder: Path, run: Run
) -> None:
    name = folder.relative_to(ROOT / "recipes").parts[0]
    recipe = CATALOGUE.describe(name, run.release)
    assert ROOT / "recipes" / CATALOGUE.folder(name, run.release) == folder
    assert run.device in recipe.variants.device and run.base in recipe.variants.base
    assert set(run.python) <= set(recipe.variants.python)
    assert set(run.options) <= {option.name for option in recipe.options}
    says = f"{run.passed} passed" + (f", {run.skipped} skipped" if run.skipped else "")
    day, commit = run.recorded.split(", ")
    rows = [
        line for line in PAGE if run.release in line and day in line and commit in line
        and (run.state != "tested" or says in line)
    ]  # fmt: skip
    # The section on CUDA has one release, and its rows name others by their versions too.
    assert rows, f"docs/verified.md has no row with {run.release}, {says} and {run.recorded}"


def test_what_another_compiler_takes_is_added() -> None:
    needs = Needs(memory=5600, jobs=2, job=1100, disk=6700)
    assert [needs.memory_with(jobs) // 10**6 for jobs in (1, 2, 8)] == [4500, 5600, 12200]


def test_what_a_build_uses_is_that_of_its_own_variant() -> None:
    cpu = Needs(memory=1, jobs=1, job=1, disk=1, when={"device": ("cpu",)})
    assert Verified(needs=(cpu,)).needed({"device": "cpu"}) == cpu
    assert Verified(needs=(cpu,)).needed({"device": "cuda-11.8"}) is None


def test_a_mistake_is_named_with_its_line_and_no_file_is_no_record(tmp_path: Path) -> None:
    assert verified(tmp_path) == Verified()
    row = '{release: "1.0", device: cpu, python: ["3.7"], state: great, recorded: "2026-01-01, 0123456"}'
    (tmp_path / "verified.yaml").write_text(f"runs:\n  - {row}\n", encoding="utf-8")
    with pytest.raises(UsageError, match=r"verified\.yaml:2: runs\[0\]\.state: "):
        verified(tmp_path)


def test_who_has_a_glibc_is_named_by_the_oldest_version_that_does() -> None:
    known = platforms.distributions(ROOT)
    works, too_old = platforms.installs_on(known, platforms.glibc_of("manylinux_2_35_x86_64"))
    assert dict(works)["Debian"] == "12" and dict(works)["Ubuntu"] == "22.04"
    assert too_old == ["Amazon Linux"]
    # The number counts, not the text.
    assert dict(platforms.installs_on(known, "2.5")[0])["Red Hat Enterprise Linux"] == "7"
    assert platforms.glibc_of("manylinux2014_x86_64") == "2.17"
    assert platforms.tag_of("2.36") == "manylinux_2_36"


def test_the_versions_of_a_distribution_are_listed_with_the_oldest_first() -> None:
    for each in platforms.distributions(ROOT):
        numbers = [platforms.minor(glibc) for glibc in each.glibc.values()]
        assert numbers == sorted(numbers), each.name
