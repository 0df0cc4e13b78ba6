"""What a person finds out from the command line itself: recipes, groups of tasks, and what a shell completes."""

from __future__ import annotations

import json
import shutil
import subprocess
from pathlib import Path

import pytest

from kiln.cli import collection
from kiln.cli.completion import SCRIPTS, candidates, script
from kiln.cli.groups import GROUPS, grouped, listing
from kiln.commands.recipes import verified
from kiln.core.errors import UsageError
from kiln.recipe import Catalogue, Run
from tests.support import repository
from tests.support.command import run
from tests.support.repository import ROOT


def offered(line: str, root: Path = ROOT) -> list[str]:
    return candidates(line.split(" "), collection(root), Catalogue(root))


def test_every_task_is_listed_once_in_the_group_of_what_it_is_for(tmp_path: Path) -> None:
    names = sorted(collection(ROOT).task_names)
    listed = [name for _, group in grouped(dict.fromkeys(names, "")) for name in group]
    assert sorted(listed) == names
    printed = run(tmp_path, "--list").stdout
    assert all(f"\n  {name} " in f"\n{printed}" for name in names)
    titles = [line[:-1] for line in printed.splitlines() if line.endswith(":") and line[0] != " "]
    assert titles[: len(GROUPS)] == list(GROUPS)


def test_a_task_of_no_group_and_long_help_are_shown_all_the_same() -> None:
    text = listing({"plan": "x " * 60, "new": "something new"}, 60)
    assert text.endswith("more:\n  new   something new")
    assert max(map(len, text.splitlines())) <= 60


def test_all_recipes_are_shown_with_how_far_each_was_verified(tmp_path: Path) -> None:
    printed = run(tmp_path, "recipes").stdout
    assert "tensorflow: TensorFlow 1.15.5 for Python; ./inv build-tf" in printed
    (row,) = (line for line in printed.splitlines() if line.startswith("1.15.4 "))
    assert row.rstrip().split(maxsplit=4) == ["1.15.4", "cpu", "3.6,", "3.7", "configured, not compiled: 3.7"]
    one = run(tmp_path, "recipes", "opencv").stdout
    assert "--codecs" in one and "414 passed, 52 skipped" in one and "tensorflow" not in one
    assert "4.3.0" not in run(tmp_path, "recipes", "opencv/4.4.0").stdout.split("\n", 1)[1]
    rows = json.loads(run(tmp_path, "recipes", "--json").stdout)
    assert {(each["name"], each["release"]) for each in rows if each["default"]} == {
        ("fireclay", "0.2.0"),
        ("opencv", "4.3.0"),
        ("tensorflow", "1.15.5"),
    }
    refused = run(tmp_path, "recipes", "nothing")
    assert (refused.returncode, refused.stderr) == (
        2,
        "error: there is no recipe 'nothing': choose one of fireclay, opencv, tensorflow\n",
    )


def test_the_most_that_was_seen_of_each_python_counts() -> None:
    def seen(*python: str, **more: object) -> Run:
        return Run("1", "cpu", python, recorded="2026-01-01, 0123456", **{"state": "tested", **more})  # type: ignore[arg-type]

    runs = [
        seen("3.9", "3.10", options={"ipp": False}),
        seen("3.10"),
        seen("3.7", stand_ins=2),
        seen("3.7", "3.6", state="analysed"),
    ]
    assert verified(runs) == (
        "tested: 3.10; tested with stand-ins: 3.7; tested with other options: 3.9; configured, not compiled: 3.6"
    )
    assert verified([]) == "not yet built"


@pytest.mark.parametrize(
    ("line", "some", "not_there"),
    [
        ("", "plan", "opencv"),
        ("--", "--list", "plan"),
        ("plan ", "tensorflow/1.15.0", "plan"),
        ("plan opencv --", "--python", "--jobs"),
        ("build-opencv --", "--no-ipp", "opencv"),
        ("plan tensorflow --device ", "cuda-11.8", "cuda-10.1"),
        ("build-tf --python ", "3.8", "3.11"),
        ("plan opencv --release ", "4.4.0", "1.15.5"),
        ("completion ", "fish", "plan"),
        ("smoke --recipe ", "opencv", "plan"),
    ],
)
def test_what_may_stand_next_is_offered(line: str, some: str, not_there: str) -> None:
    found = offered(line)
    assert some in found and not_there not in found


@pytest.mark.parametrize("line", ["smoke ", "plan opencv --folder ", "plan opencv "])
def test_where_a_file_may_stand_the_shell_offers_files(line: str) -> None:
    assert offered(line) == []


def test_a_recipe_that_cannot_be_read_offers_what_can(tmp_path: Path) -> None:
    root = repository.make(tmp_path, **{"recipes/bad/recipe.yaml": "name: [\n"})
    assert "toy/1.0" in candidates(["plan", ""], collection(root, print), Catalogue(root))
    assert candidates(["plan", "bad", "--release", ""], collection(root, print), Catalogue(root)) == []


ASK = {
    "bash": 'COMP_WORDS=(./inv plan tens); COMP_CWORD=2; _kiln ./inv tens plan; printf "%s\\n" "${COMPREPLY[@]}"',
    "zsh": "words=(./inv plan tens); CURRENT=3; _kiln",
    "fish": 'complete -C"./inv plan tens"',
}
BEFORE = {"zsh": "compdef() { :; }; compadd() { print -l -- $found; }\n"}


@pytest.mark.parametrize("shell", SCRIPTS)
def test_a_shell_completes_a_recipe(shell: str, tmp_path: Path) -> None:
    program = shutil.which(shell)
    if program is None:
        pytest.skip(f"this machine has no {shell}")
    (tmp_path / "script").write_text(BEFORE.get(shell, "") + script(shell) + ASK[shell] + "\n")
    quiet = {"bash": ["--norc"], "zsh": ["-f"], "fish": ["--no-config"]}[shell]
    done = subprocess.run(
        [program, *quiet, str(tmp_path / "script")], cwd=ROOT, capture_output=True, text=True
    )
    assert "tensorflow/1.15.4" in done.stdout.splitlines(), done.stderr


def test_a_shell_that_is_not_known_is_refused() -> None:
    with pytest.raises(UsageError, match="no completion for 'tcsh': choose one of bash, zsh, fish"):
        script("tcsh")
