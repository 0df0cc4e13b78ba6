"""The scripts that CI calls, run as its jobs run them: two jobs, two machines' homes, and an archive between them."""

from __future__ import annotations

import os
import re
import shutil
import sys
import tarfile
from pathlib import Path

import pytest
import yaml

from kiln.recipe import bases
from tests.support.house import House, own_vault
from tests.support.repository import ROOT

ROW = "toy-1.0-cp311-cpu-bookworm-sse4.2+ending-halves"
MATRIX = """\
rows:
  - recipe: toy/1.0
    options: {ending: halves}
    parts: 2
  - recipe: toy/1.0
    options: {ending: error}
"""


@pytest.fixture
def project(house: House) -> House:
    """The toy's checkout with the scripts of CI and a matrix of its own."""
    shutil.copytree(ROOT / "ci", house.root / "ci")
    (house.root / "ci/matrix.yaml").write_text(MATRIX)
    inv = house.root / "inv"
    inv.write_text(f'#!/bin/sh\nexec "{sys.executable}" "$(dirname "$0")/tasks.py" "$@"\n')
    inv.chmod(0o755)
    own_vault(house)
    return house


def cached() -> list[str]:
    """The folders of a home that GitHub's jobs hand over, as the template names them."""
    part = yaml.safe_load((ROOT / "ci/github/kiln-part.yml").read_text())
    saves = [step for step in part["jobs"]["build"]["steps"] if "cache/save" in step.get("uses", "")]
    return [path.removeprefix(".kiln/") for step in saves for path in step["with"]["path"].split()]


def hand_over(one: Path, other: Path, archive: Path) -> None:
    """The caches from one machine to another. Who owned the files is lost, as with archives in zip format."""
    with tarfile.open(archive, "w") as tar:
        for folder in cached():
            if (one / folder).exists():
                tar.add((one / folder).resolve(), folder)
    other.mkdir()
    with tarfile.open(archive) as tar:
        for member in tar:
            member.uid = member.gid = 0
            tar.extract(member, other, set_attrs=True)


def outputs(path: Path) -> dict[str, str]:
    found = dict(line.split("=", 1) for line in path.read_text().splitlines())
    path.unlink()
    return found


def test_a_job_that_its_budget_stops_hands_its_caches_to_the_next_which_finishes_the_build(
    project: House, tmp_path: Path
) -> None:
    told, summary, next_home = tmp_path / "output", tmp_path / "summary", tmp_path / "next"
    variables = {"GITHUB_OUTPUT": str(told), "GITHUB_STEP_SUMMARY": str(summary)}

    seconds = 8
    while not (project.cache() / "half").exists():
        first = project.script("ci/build.py", ROW, "--time-budget", f"{seconds}s", **variables)
        assert first.returncode == 0, first.stderr
        assert outputs(told)["finished"] == "false"
        seconds *= 2
    assert "part 1 of 2 was stopped by its budget" in summary.read_text()
    assert not (project.root / "dist").exists()
    assert not list((project.home / "builds").iterdir()), "what was stopped is of no use to the next job"

    hand_over(project.home, next_home, tmp_path / "caches.tar")
    job = {"KILN_HOME": str(next_home), **variables}
    too_short = project.script("ci/build.py", ROW, "--part", "2", "--time-budget", "1s", **job)
    assert too_short.returncode == 75
    assert "not finished in 2 parts of 1s: run the same again" in too_short.stdout
    assert outputs(told)["finished"] == "false"

    second = project.script("ci/build.py", ROW, "--part", "2", "--time-budget", "2h", **job)
    assert second.returncode == 0, second.stderr
    found = outputs(told)
    assert found["finished"] == "true"
    folder = project.root / found["folder"]
    assert "first half: 1 from the cache\n" in (folder / "build.log").read_text()
    assert list(folder.glob("*.whl")) and (folder / "SHA256SUMS").exists()
    assert summary.read_text().endswith("finished in part 2 of 2\n")

    again = project.script("ci/build.py", ROW, **job, DOCKER_HOST="unix:///nowhere")
    assert again.returncode == 0, "the finished build is in the caches, too"


def test_a_build_that_fails_ends_its_job_with_its_own_exit_code_and_an_unknown_row_with_2(
    project: House,
) -> None:
    failed = project.script("ci/build.py", ROW.replace("halves", "error"), "--time-budget", "2h")
    assert failed.returncode == 1
    assert "nothere.h: No such file or directory" in failed.stderr
    assert list((project.home / "builds").glob("*/build.log")), "the log is there for the job to upload"
    unknown = project.script("ci/build.py", "nothing")
    assert unknown.returncode == 2 and "no row of the matrix matches" in unknown.stderr


def test_a_source_that_nobody_has_any_more_is_reported_and_ends_the_job_with_1(
    project: House, served: tuple[str, Path], tmp_path: Path
) -> None:
    address, site = served
    report, summary = tmp_path / "origins.md", tmp_path / "summary"
    # An archive that has all packages: no test depends on what another server has today.
    for package in bases.base_lock(project.root, "bookworm").packages:
        file = site / "archive" / package.pool
        file.parent.mkdir(parents=True, exist_ok=True)
        file.touch()
        os.truncate(file, package.size)
    variables = {"KILN_DEBIAN_MIRROR": f"{address}/archive", "GITHUB_STEP_SUMMARY": str(summary)}
    fine = project.script("ci/origins.py", str(report), **variables)
    assert fine.returncode == 0, fine.stderr
    assert re.search(r"0 of \d+ sources .*\n\n\d+ URLs were asked; 0 of them did not", report.read_text())

    project.replace("recipes/toy/recipe.yaml", "toy-1.0.tar.gz", "gone.tar.gz")
    lost = project.script("ci/origins.py", str(report), "--recipe", "toy/1.0", **variables)
    assert lost.returncode == 1
    assert f"| toy | {address}/gone.tar.gz | " in report.read_text()
    assert "nowhere that is known" in report.read_text()
    assert summary.read_text().endswith(report.read_text())

    variables["KILN_FALLBACKS"] = f"{address}/toy-1.0.tar.gz?{{url}}"
    elsewhere = project.script("ci/origins.py", str(report), **variables)
    assert elsewhere.returncode == 0
    assert f"| {address}/toy-1.0.tar.gz?" in report.read_text()
