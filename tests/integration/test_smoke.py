"""Smoke runs by themselves: on a wheel that Kiln built, on the same from elsewhere, in a container and on this machine."""

from __future__ import annotations

import json
import shutil
import sys
import zipfile
from pathlib import Path

import pytest

from kiln.smoke import results
from tests.support.house import House
from tests.support.sound_wheel import make


def outcomes(house: House, wheel: Path) -> dict[str, str]:
    """How each test of the shared suite ended, from the JUnit report."""
    found = results.read_results(house.root / "dist/smoke" / wheel.stem)
    return {case.name: case.ending for case in found.cases}


def test_a_wheel_is_proved_where_it_was_built_and_away_from_there(built: House, tmp_path: Path) -> None:
    house = built
    speed = (
        "import toy\nVERSION = 'toy'\ndef operations():\n    return {'answer': (toy.answer, lambda: 42)}\n"
    )
    (house.root / "smoke/toy/speed.py").write_text(speed)
    wheel = house.wheel()
    key = json.loads((wheel.parent / "plan.json").read_text())["key"]
    with zipfile.ZipFile(wheel) as archive:
        (stamp,) = (name for name in archive.namelist() if name.endswith(".dist-info/kiln.json"))
        assert json.loads(archive.read(stamp))["build_key"] == key

    done = house.run("smoke", "--against", str(wheel))
    assert done.returncode == 0, done.stderr
    assert set(outcomes(house, wheel).values()) <= {"passed", "skipped"}
    assert outcomes(house, wheel)["test_build_key_in_the_wheel_is_that_of_its_plan"] == "passed"
    assert outcomes(house, wheel)["test_symbols_are_no_newer_than_the_tag"] == "passed"
    assert "It is the wheel that was built" in done.stdout and "other / wheel" in done.stdout
    page = (house.root / "dist/smoke" / wheel.stem / "smoke.html").read_text()
    assert key[:8] in page and "NumPy" in page and "objdump" in page
    assert not list((house.home / "builds").iterdir())

    away = tmp_path / wheel.name
    shutil.copy(wheel, away)
    done = house.run("smoke", str(away))
    assert done.returncode == 0, done.stderr
    assert "the build key is what the wheel itself says" in done.stderr

    with zipfile.ZipFile(away, "a") as archive:
        archive.writestr("evil.py", "")
    done = house.run("smoke", str(away))
    assert done.returncode == 2 and "evil.py is not mentioned in RECORD" in done.stderr


def test_a_wheel_from_elsewhere_is_tested_on_this_machine_without_an_engine(
    house: House, tmp_path: Path
) -> None:
    if sys.version_info[:2] != (3, 11):
        pytest.skip("the wheel is for the Python 3.11 of this machine")
    answers = "def answer():\n    return {}\n"
    wheel = stranger(tmp_path, answers.format(42))
    alone = {"DOCKER_HOST": "unix:///nowhere/docker.sock"}
    done = house.run("smoke", str(wheel), "--venv", **alone)
    assert done.returncode == 0, done.stderr + done.stdout
    ended = outcomes(house, wheel)
    assert ended["test_the_answer"] == ended["test_version_is_the_one_asked_for"] == "passed"
    assert ended["test_build_key_in_the_wheel_is_that_of_its_plan"] == "skipped"
    assert "not built by Kiln, and nothing was asked of it" in done.stdout

    wrong = stranger(tmp_path / "wrong", answers.format(41))
    done = house.run("smoke", str(wrong), "--venv", "--output", str(tmp_path / "report"), **alone)
    assert done.returncode == 6
    assert "1 smoke test failed" in done.stderr and "test_the_answer" in done.stderr
    assert [case.name for case in results.read_results(tmp_path / "report").failures] == ["test_the_answer"]
    for name in ("smoke.html", "smoke.log"):
        assert str(tmp_path / "report" / name) in done.stderr and (tmp_path / "report" / name).exists()
    assert "test_the_answer" in (tmp_path / "report/smoke.log").read_text()


UPSTREAM = '''
TREE, KNOWN = "toy", {}
CODE = """
import os, sys, toy
bad = "" if toy.answer() == 42 and "toy.c" in os.listdir(sys.argv[1]) else "<failure message='wrong answer'/>"
open(sys.argv[2], "w").write("<t><testcase classname='a.Toy' name='test_answer'>" + bad + "</testcase></t>")
"""

def files(tree):
    return ["toy.c"]

def command(python, file, tree, report):
    return [python, "-c", CODE, tree, report], {}
'''


def test_the_tests_of_the_source_tree_are_run_on_two_wheels(house: House, tmp_path: Path) -> None:
    if sys.version_info[:2] != (3, 11):
        pytest.skip("the wheel is for the Python 3.11 of this machine")
    right, wrong = (
        stranger(tmp_path / name, f"def answer():\n    return {answer}\n")
        for name, answer in (("right", 42), ("wrong", 41))
    )
    alone = {"DOCKER_HOST": "unix:///nowhere/docker.sock"}
    arguments = (
        "upstream-tests",
        str(wrong),
        "--against",
        str(right),
        "--venv",
        "--output",
        str(tmp_path / "out"),
    )
    done = house.run(*arguments, **alone)
    assert done.returncode == 2 and "write smoke/toy/upstream.py" in done.stderr
    (house.root / "smoke/toy/upstream.py").write_text(UPSTREAM)
    house.replace("recipes/toy/recipe.yaml", "{suite: smoke/toy}", "{suite: smoke/toy, upstream: toy}")
    done = house.run(*arguments, **alone)
    assert done.returncode == 6, done.stderr
    assert "1 upstream test failed here and on no other wheel (toy.c::Toy::test_answer)" in done.stderr
    found = json.loads((tmp_path / "out/upstream.json").read_text())
    assert found["wheel"] == {"toy.c::Toy::test_answer": ["failed", "wrong answer"]}
    assert found["against"] == {"toy.c::Toy::test_answer": ["passed", ""]}


def stranger(folder: Path, code: str) -> Path:
    """A wheel of toy 1.0 that Kiln did not build."""
    folder.mkdir(exist_ok=True)
    return make(folder, "toy-1.0-py3-none-any.whl", code=code, requires="")


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ((), "there is no finished wheel under"),
        (("nothing.whl",), "nothing.whl is not a file: name a wheel"),
        (("tasks.py",), "tasks.py is not a sound wheel"),
    ],
)
def test_what_cannot_be_smoked_is_exit_2(house: House, arguments: tuple[str, ...], message: str) -> None:
    names = [str(house.root / name) for name in arguments]
    done = house.run("smoke", *names)
    assert done.returncode == 2 and message in done.stderr and "Traceback" not in done.stderr
