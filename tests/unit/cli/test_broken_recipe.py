"""A recipe with a mistake costs itself alone: every other command goes on, and its own say what is wrong, and where."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import pytest

from kiln.cli.collection import collection
from kiln.cli.program import KilnProgram, rewritten
from tests.support import repository, wheels
from tests.support.repository import BASE, RECIPE, ROOT

# What is wrong with the recipe `other`, and what is said about it. What is not YAML is noted by every command, a mistake
# that only a check finds by those that check every recipe.
OTHER = RECIPE.replace("name: toy", "name: other")
NOT_YAML = (OTHER + "task: build-it\nlast: [\n", "{}:{}: this is not YAML: ")
NO_TABLE = (OTHER.replace('releases: {"1.0": {}}', "releases: 1.0"), "{}:2: releases: give a table")
MISSPELT = (OTHER + "licence: MIT\n", "{}:{}: licence: no such key here")
KINDS = pytest.mark.parametrize("kind", [NOT_YAML, NO_TABLE, MISSPELT], ids=["yaml", "table", "key"])


@dataclass(frozen=True)
class Checkout:
    """A repository with the sound recipe `toy` and the broken one `other`, whose mistake is reported as `says`."""

    root: Path
    says: str
    noted: bool
    capture: pytest.CaptureFixture[str]

    def run(self, *arguments: str) -> tuple[int, str, str]:
        """What a person types after `./inv`: the exit code, what it prints, and its notes and errors."""
        code = 0
        notes: list[str] = []
        tasks = collection(self.root, notes.append)
        self.capture.readouterr()
        try:
            KilnProgram(name="Kiln", binary="./inv", namespace=tasks).run(
                ["./inv", *rewritten([*arguments], tasks)]
            )
        except SystemExit as error:
            code = int(error.code or 0)
        printed = self.capture.readouterr()
        return code, printed.out, "\n".join([*notes, printed.err])


@pytest.fixture
def checkout(
    kind: tuple[str, str], tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> Checkout:
    text, says = kind
    monkeypatch.setenv("KILN_HOME", str(tmp_path / "home"))
    monkeypatch.setenv("KILN_OFFLINE", "1")
    monkeypatch.setenv("DOCKER_HOST", "unix:///nowhere/docker.sock")
    root = repository.make(
        tmp_path / "root",
        **{
            "recipes/other/recipe.yaml": text,
            "ci/matrix.yaml": "rows:\n  - {recipe: toy/1.0}\n",
            "requirements/sets.yaml": "sets: []\n",
            "bench/quick.py": '"""How quick."""\n',
            "patches/checkouts/mine/patch.yaml": "summary: s\nupstream: u\nfiles: [m.py]\n"
            "watch: {call: sleep, inside: [f]}\notherwise: no sleep\n"
            "forms:\n  - {name: A, says: it sleeps, inside: f, code: 'time.sleep(1)'}\n",
            "m.py": "def f():\n    time.sleep(1)\n",
            "recipes/toy/lock.yaml": "reader: bazel\ntrees: [toy]\n",
            "recipes/other/lock.yaml": "reader: bazel\ntrees: [toy]\n",
            "tree/WORKSPACE": "",
        },
    )
    last = len(text.splitlines()) + (kind is NOT_YAML)
    place = says.format(root / "recipes/other/recipe.yaml", last)
    return Checkout(root, place, kind is not MISSPELT, capsys)


@KINDS
def test_the_tasks_are_listed_with_one_line_about_the_recipe(checkout: Checkout) -> None:
    code, out, notes = checkout.run("--list")
    assert code == 0 and "build-toy" in out
    assert ("build-it" if "YAML" in checkout.says else "build-other") in out
    lines = [line for line in notes.splitlines() if line]
    assert len(lines) == (1 if checkout.noted else 0)
    assert all(line.startswith(checkout.says) for line in lines)


@KINDS
def test_the_help_of_every_task_is_shown(checkout: Checkout) -> None:
    for task in collection(checkout.root, lambda _: None).task_names:
        code, out, _ = checkout.run(task, "--help")
        assert code == 0 and f"./inv [--core-opts] {task} " in out


@KINDS
@pytest.mark.parametrize(
    ("arguments", "code", "prints"),
    [
        (("plan", "toy"), 0, "toy 1.0"),
        (("plan", "toy", "--json"), 0, '"key"'),
        (("sources", "toy"), 0, "toy"),
        (("ci-matrix",), 0, "build toy/1.0"),
        (("sets",), 0, ""),
        (("bench",), 0, "How quick."),
        (("lock", "toy", "--tree", "{root}/tree"), 0, "toy/sources.lock.yaml"),
        (("patch", "mine", "{root}"), 0, "form A"),
        (("doctor", "--cuda"), None, "GPU"),
        (("fetch", "toy"), 3, ""),
        (("build", "toy"), 4, ""),
        (("build-toy",), 4, ""),
        (("bundle", "toy"), 4, ""),
    ],
    ids=lambda value: value[0] if isinstance(value, tuple) else "",
)
def test_other_commands_go_on(
    checkout: Checkout, arguments: tuple[str, ...], code: int | None, prints: str
) -> None:
    found, out, said = checkout.run(*(each.format(root=checkout.root) for each in arguments))
    assert code is None or found == code, said
    assert prints in out
    assert ("recipes/other" in said) == checkout.noted
    assert "Traceback" not in said


@KINDS
def test_an_index_is_made(checkout: Checkout, tmp_path: Path) -> None:
    result = wheels.result(tmp_path / "result")
    code, _, said = checkout.run("index", "--output", str(tmp_path / "index"), str(result))
    assert code == 0 and "1 new" in said


@KINDS
def test_the_list_of_all_builds_leaves_it_out_with_a_note(checkout: Checkout) -> None:
    code, out, said = checkout.run("ci-matrix", "--all")
    assert code == 0 and "build toy/1.0" in out and "other" not in out
    assert checkout.says in said


@KINDS
def test_garbage_is_not_collected_while_it_is_not_known_what_it_needs(
    checkout: Checkout, tmp_path: Path
) -> None:
    kept = tmp_path / "home/sources/sha256/ee" / ("e" * 64)
    kept.parent.mkdir(parents=True)
    kept.write_bytes(b"")
    code, _, said = checkout.run("gc", "--no-dry-run")
    assert code == 2 and f"error: {checkout.says}" in said and kept.exists()


@KINDS
@pytest.mark.parametrize("command", ["plan", "fetch", "sources", "bundle", "build", "lock", "task"])
def test_its_own_commands_end_with_exit_code_2_and_the_place(checkout: Checkout, command: str) -> None:
    task = "build-it" if "YAML" in checkout.says else "build-other"
    code, out, said = checkout.run(*((task,) if command == "task" else (command, "other")))
    assert (code, out) == (2, "")
    assert f"error: {checkout.says}" in said


@pytest.mark.parametrize("kind", [NOT_YAML], ids=["yaml"])
def test_a_broken_file_with_further_releases_costs_these_alone(checkout: Checkout) -> None:
    vendor = checkout.root / "recipes/toy/vendor/recipe.yaml"
    vendor.parent.mkdir()
    vendor.write_text("name: toy\nreleases: [\n", encoding="utf-8")
    for arguments in (("plan", "toy"), ("plan", "toy/1.0", "--no-fast"), ("build-toy", "--help")):
        code, _, said = checkout.run(*arguments)
        assert code == 0 and f"{vendor}:3: this is not YAML" in said
    assert "--[no-]fast" in checkout.run("build-toy", "--help")[1]
    code, _, said = checkout.run("plan", "toy/2.0")
    assert code == 2 and f"error: {vendor}:3: this is not YAML" in said


def test_the_base_of_this_repository_is_described() -> None:
    assert (ROOT / BASE).is_file()
