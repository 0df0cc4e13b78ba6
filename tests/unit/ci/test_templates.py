"""The templates in ci/: what the providers' schemas and a linter say, and that the parts fit each other."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml

from kiln.commands import matrix
from kiln.commands.matrix import Wanted
from kiln.recipe import Catalogue
from tests.support.repository import ROOT

GITHUB = sorted((ROOT / "ci" / "github").glob("*.yml"))
GITLAB = sorted((ROOT / "ci" / "gitlab").glob("*.yml"))


def conforms(schema: str, *files: Path) -> subprocess.CompletedProcess[str]:
    command = [
        sys.executable,
        "-m",
        "check_jsonschema",
        "--builtin-schema",
        f"vendor.{schema}",
        *map(str, files),
    ]
    return subprocess.run(command, capture_output=True, text=True)


def zizmor(*files: Path) -> subprocess.CompletedProcess[str]:
    program = Path(sys.executable).with_name("zizmor")
    command = [
        str(program),
        "--offline",
        "--no-config",
        "--no-progress",
        "--min-severity",
        "medium",
        *map(str, files),
    ]
    environment = {key: value for key, value in os.environ.items() if not key.startswith(("GH_", "GITHUB_"))}
    return subprocess.run(command, capture_output=True, text=True, env=environment)


def read(path: Path) -> dict[str, Any]:
    # YAML 1.1 takes the key `on` for a truth value.
    loaded = yaml.safe_load(path.read_text(encoding="utf-8"))
    return {"on" if key is True else key: value for key, value in loaded.items()}


def steps(path: Path) -> list[dict[str, Any]]:
    return [step for job in read(path)["jobs"].values() for step in job.get("steps", [])]


def test_the_templates_conform_to_the_schemas_of_their_providers(tmp_path: Path) -> None:
    pipeline = tmp_path / "pipeline.yml"
    pipeline.write_text(matrix.gitlab(matrix.chosen(Catalogue(ROOT), Wanted())))
    for schema, files in (("github-workflows", GITHUB), ("gitlab-ci", [*GITLAB, pipeline])):
        done = conforms(schema, *files)
        assert len(files) >= 3 and done.returncode == 0, done.stdout


def test_the_linter_finds_no_hole_in_a_workflow() -> None:
    done = zizmor(*GITHUB)
    assert done.returncode == 0, done.stdout


def test_the_checks_find_what_they_are_for(tmp_path: Path) -> None:
    text = (ROOT / "ci/github/kiln-part.yml").read_text()
    misspelt, unpinned, injected = (
        tmp_path / name for name in ("misspelt.yml", "unpinned.yml", "injected.yml")
    )
    misspelt.write_text(text.replace("runs-on:", "runs-at:"))
    assert conforms("github-workflows", misspelt).returncode
    unpinned.write_text(re.sub(r"actions/checkout@\w+", "actions/checkout@main", text))
    assert "unpinned-uses" in zizmor(unpinned).stdout
    injected.write_text(text.replace('ci/build.py "$ROW"', 'ci/build.py "${{ inputs.row }}"'))
    assert "template-injection" in zizmor(injected).stdout


@pytest.mark.parametrize("path", GITHUB, ids=lambda path: path.stem)
def test_a_workflow_has_no_right_that_a_job_does_not_name_and_every_job_an_end(path: Path) -> None:
    workflow = read(path)
    assert workflow["permissions"] == {}
    for name, job in workflow["jobs"].items():
        rights = {"pages": "write", "id-token": "write"} if name == "deploy" else {"contents": "read"}
        assert job["permissions"] == rights, name
        assert "uses" in job or 0 < job["timeout-minutes"] < 360, name
    assert "secrets." not in path.read_text()


@pytest.mark.parametrize("path", GITHUB, ids=lambda path: path.stem)
def test_every_action_is_a_full_commit_with_its_version_beside_it(path: Path) -> None:
    for line in path.read_text().splitlines():
        if "uses:" in line and "./.github" not in line:
            assert re.search(r"uses: actions/[a-z/-]+@[0-9a-f]{40} # v\d+\.\d+\.\d+$", line), line


def test_one_action_has_one_version_in_all_workflows() -> None:
    used: dict[str, set[str]] = {}
    for path in GITHUB:
        for action, version in re.findall(r"uses: (actions/[a-z-]+)[a-z/-]*(@.*)", path.read_text()):
            used.setdefault(action, set()).add(version)
    assert {action for action, versions in used.items() if len(versions) > 1} == set()


def test_a_workflow_that_is_called_gets_every_input_that_it_has_and_no_other() -> None:
    calls = 0
    for path in GITHUB:
        for job in read(path)["jobs"].values():
            if "uses" in job:
                called = read(ROOT / "ci" / "github" / Path(job["uses"]).name)
                assert set(job["with"]) == set(called["on"]["workflow_call"]["inputs"])
                calls += 1
    assert calls == 1 + matrix.MOST_PARTS


def test_there_are_as_many_jobs_in_a_row_as_a_matrix_may_ask_for_each_after_the_one_before() -> None:
    jobs = list(read(ROOT / "ci/github/kiln-row.yml")["jobs"].items())
    assert [job["with"]["part"] for _, job in jobs] == list(range(1, matrix.MOST_PARTS + 1))
    for number, ((before, _), (_, job)) in enumerate(zip(jobs, jobs[1:]), 2):
        assert job["needs"] == before
        assert (
            job["if"] == f"${{{{ inputs.parts >= {number} && needs.{before}.outputs.finished == 'false' }}}}"
        )


def test_what_the_matrix_gives_is_what_the_workflow_takes() -> None:
    text = (ROOT / "ci/github/kiln.yml").read_text()
    row = matrix.chosen(Catalogue(ROOT), Wanted())[0].to_json()
    used = set(re.findall(r"matrix\.(\w+)", text.partition("strategy:")[2].partition("\n\n")[0])) - {
        "outputs"
    }
    assert used == {"name", "parts", "cache", "sources"} <= set(row)


def test_what_is_restored_is_what_was_saved() -> None:
    caches: dict[str, set[str]] = {"restore": set(), "save": set()}
    for step in steps(ROOT / "ci/github/kiln-part.yml"):
        kind = re.search(r"actions/cache/(\w+)@", step.get("uses", ""))
        if kind:
            caches[kind.group(1)].add(step["with"]["path"] + step["with"]["key"])
    assert caches["restore"] == caches["save"] and len(caches["save"]) == 2


def test_no_job_does_more_than_call_the_scripts_and_inv() -> None:
    """What jobs run is in ci/, where it can be run here, too."""
    lines = [line for path in GITHUB for step in steps(path) for line in step.get("run", "").splitlines()]
    for path in GITLAB:
        for job in read(path).values():
            if isinstance(job, dict):
                lines += [*job.get("script", []), *job.get("before_script", [])]
    assert len(lines) >= 10
    for line in lines:
        assert re.match(r"(rows=\$\()?(\./inv ci-matrix|ci/[a-z]+\.(py|sh))\b|echo ", line), line


def test_every_script_that_is_called_is_there_and_may_be_run() -> None:
    texts = "".join(path.read_text() for path in (*GITHUB, *GITLAB))
    called = set(re.findall(r"\bci/[a-z]+\.(?:py|sh)\b", texts))
    assert called == {
        path.relative_to(ROOT).as_posix()
        for path in (ROOT / "ci").iterdir()
        if path.suffix != ".yaml" and path.is_file()
    }
    for name in called:
        assert os.access(ROOT / name, os.X_OK), name


def test_gitlabs_jobs_get_what_they_read_from_the_pipeline_that_is_written() -> None:
    part = (ROOT / "ci/gitlab/part.yml").read_text()
    (row, *_) = matrix.chosen(Catalogue(ROOT), Wanted())
    written = matrix.gitlab([row])
    read_there = set(re.findall(r"\$(KILN_\w+)", part)) - {"KILN_TIME_BUDGET"}
    assert read_there == {"KILN_ROW", "KILN_PART", "KILN_CACHE", "KILN_SOURCES"}
    assert all(f'"{name}"' in written for name in read_there)
