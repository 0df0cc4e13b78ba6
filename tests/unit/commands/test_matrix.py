from __future__ import annotations

import json
import re
import shlex
from pathlib import Path

import pytest

from kiln.cli import recipe_tasks
from kiln.commands import matrix
from kiln.commands.matrix import Wanted
from kiln.core.errors import UsageError
from kiln.plan import planner
from kiln.plan.planner import Request
from kiln.recipe import Catalogue
from tests.support import bases, repository

ROWS = """\
rows:
  - recipe: toy/1.0
    cpu_features: [sse4.2, baseline]
  - recipe: toy/1.0
    options: {fast: false, parts: "a,b"}
    parts: 3
"""


def house(tmp_path: Path, rows: str = ROWS) -> Path:
    return repository.make(tmp_path, **{"ci/matrix.yaml": rows})


def chosen(root: Path, **wanted: str) -> tuple[matrix.MatrixRow, ...]:
    return matrix.chosen(Catalogue(root), Wanted(**wanted))


def test_the_lists_of_a_row_multiply_and_what_is_left_out_is_the_recipes_choice(tmp_path: Path) -> None:
    assert [row.name for row in chosen(house(tmp_path))] == [
        "toy-1.0-cp311-cpu-bookworm-sse4.2",
        "toy-1.0-cp311-cpu-bookworm-baseline",
        "toy-1.0-cp311-cpu-bookworm-sse4.2+no-fast+parts-a_b",
    ]


def test_the_arguments_of_a_row_are_those_of_its_plan(tmp_path: Path) -> None:
    root = house(tmp_path)
    rows = chosen(root)
    assert [shlex.join(row.arguments) for row in rows] == [
        "build toy/1.0",
        "build toy/1.0 --cpu-features baseline",
        "build toy/1.0 --no-fast --parts a,b",
    ]
    options = recipe_tasks.options_of(Catalogue(root).outlines())
    last = recipe_tasks.chosen(options, {"fast": False, "parts": "a,b"}, ["fast", "parts"])
    assert planner.make(Catalogue(root), Request("toy", "1.0", options=last)).key == rows[-1].plan.key


def test_every_row_of_this_repository_can_be_planned_and_typed() -> None:
    rows = chosen(repository.ROOT)
    assert {row.plan.recipe.name for row in rows} == {"opencv", "tensorflow"}
    for row in rows:
        assert row.arguments[:2] == ("build", f"{row.plan.recipe.name}/{row.plan.recipe.version}")


def test_names_and_keys_are_stable_and_fit_where_providers_take_them(tmp_path: Path) -> None:
    rows = chosen(house(tmp_path))
    again = chosen(house(tmp_path / "again"))
    assert [row.to_json() for row in rows] == [row.to_json() for row in again]
    for row in rows:
        assert re.fullmatch(r"[A-Za-z0-9._+-]{1,200}", row.name)
        assert re.fullmatch(r"[A-Za-z0-9._+-]{1,200}", row.cache)
    assert len({row.cache for row in rows}) == len(rows)
    assert len({row.sources for row in rows}) == 2, "fast or not, there is another source"


def test_another_toolchain_has_another_cache(tmp_path: Path) -> None:
    root = house(tmp_path)
    before = chosen(root)[0]
    newer = (*bases.LOCKED[:-1], bases.package("g++-11", "opencv", version="1.1", sha256="e" * 64))
    bases.write(root, **{"recipes/bases/bookworm/lock.yaml": bases.lock_text(*newer)})
    after = chosen(root)[0]
    assert after.cache != before.cache and after.sources == before.sources and after.name == before.name


def test_filters_leave_the_rows_that_fit(tmp_path: Path) -> None:
    root = house(tmp_path)
    every = chosen(root)
    assert chosen(root, recipe="toy") == chosen(root, recipe="toy/1.0", device="cpu", python="3.11") == every
    assert chosen(root, name=every[1].name) == every[1:2]
    for wanted in ({"device": "cuda-10.0"}, {"recipe": "toy/2.0"}, {"python": "3.7"}, {"name": "toy"}):
        with pytest.raises(UsageError, match="no row of the matrix matches"):
            chosen(root, **wanted)


def test_all_is_what_the_recipes_declare_with_a_note_on_what_cannot_be_planned(tmp_path: Path) -> None:
    notes: list[str] = []
    rows = matrix.declared(Catalogue(house(tmp_path)), Wanted(), notes.append)
    assert [(row.plan.variant.python, row.parts) for row in rows] == [("3.11", 3)]
    assert len(notes) == 1 and "Python 3.7 is left out: the base has Python 3.11" in notes[0]


@pytest.mark.parametrize(
    ("rows", "message"),
    [
        ("rows: []\n", "rows"),
        ("rows:\n  - recipe: toy\n", "matrix.yaml:2: rows[0].recipe: 'toy' does not have the form"),
        ("rows:\n  - recipe: toy/1.0\n    pyhton: ['3.7']\n", "matrix.yaml:3: rows[0].pyhton: no such key"),
        ("rows:\n  - recipe: toy/1.0\n    parts: 0\n", "matrix.yaml:3: rows[0].parts"),
        ("rows:\n  - recipe: toy/1.0\n    python: ['2.7']\n", "not built for python '2.7'"),
        ("rows:\n  - recipe: toy/9\n", "recipe toy has no release '9'"),
        (
            "rows:\n  - recipe: toy/1.0\n    options:\n      fsat: true\n",
            "matrix.yaml:4: rows[0].options.fsat: the recipe has no such option",
        ),
        (
            "rows:\n  - recipe: toy/1.0\n    options: {fast: 'no'}\n",
            "matrix.yaml:3: rows[0].options.fast: 'no' is not what this option takes; give true or false",
        ),
        (
            "rows:\n  - recipe: toy/1.0\n    options: {parts: 3}\n",
            "rows[0].options.parts: 3 is not what this option takes; give a text",
        ),
        ("rows:\n  - recipe: toy/1.0\n  - recipe: toy/1.0\n", "is in the matrix more than once"),
    ],
)
def test_a_mistake_in_the_matrix_is_told_with_its_place(tmp_path: Path, rows: str, message: str) -> None:
    with pytest.raises(UsageError, match=re.escape(message)):
        chosen(house(tmp_path, rows))


def test_more_rows_than_ci_takes_are_refused(tmp_path: Path) -> None:
    rows = "rows:\n" + "".join(f"  - recipe: toy/1.0\n    options: {{parts: '{n}'}}\n" for n in range(257))
    with pytest.raises(UsageError, match="257 rows, and CI takes 256"):
        chosen(house(tmp_path, rows))


def test_github_gets_one_line_with_every_row_under_include(tmp_path: Path) -> None:
    text = matrix.github(chosen(house(tmp_path)))
    assert text.count("\n") == 1
    (*_, last) = json.loads(text)["include"]
    assert last["name"] == "toy-1.0-cp311-cpu-bookworm-sse4.2+no-fast+parts-a_b"
    assert last["command"] == "./inv build toy/1.0 --no-fast --parts a,b"
    assert last["folder"] == "dist/toy/1.0/cp311-cpu-bookworm-sse4.2+no-fast+parts-a_b"
    assert last["parts"] == 3 and len(last["key"]) == 64


def test_gitlab_gets_a_chain_of_jobs_for_each_row(tmp_path: Path) -> None:
    pipeline = json.loads(matrix.gitlab(chosen(house(tmp_path))))
    jobs = {name: job for name, job in pipeline.items() if name not in ("include", "stages")}
    assert pipeline["stages"] == ["part-1", "part-2", "part-3", "index"]
    last = "toy-1.0-cp311-cpu-bookworm-sse4.2+no-fast+parts-a_b"
    assert [name for name in jobs if last in name] == [f"{last} {part}/3" for part in (1, 2, 3)]
    assert len(jobs) == 5
    for name, job in jobs.items():
        part = int(job["variables"]["KILN_PART"])
        assert job["stage"] == f"part-{part}"
        assert job["needs"] == ([name.replace(f" {part}/", f" {part - 1}/")] if part > 1 else [])
