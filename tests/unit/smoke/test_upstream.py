from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from kiln.core.errors import SmokeError
from kiln.smoke import UpstreamResult, read_upstream
from tests.support.repository import ROOT

RUNNER = ROOT / "smoke/common/upstream.py"
TESTS = """
import os
TREE = "toy"
KNOWN = {"c_test.py::Files::test_data": "its data is not in the tree"}

def files(tree):
    return [name for name in os.listdir(tree) if name.endswith("_test.py")]

def command(python, file, tree, report):
    command = [python, "-m", "pytest", "-q", "-p", "no:cacheprovider", "--junitxml", report]
    return [*command, os.path.join(tree, file)], {"TOY": "1"}
"""
FILES = {
    "a_test.py": (
        "import os, unittest\n"
        "class Sums(unittest.TestCase):\n"
        "    def test_right(self): self.assertEqual(os.environ['TOY'], '1')\n"
        "    def test_wrong(self): self.assertEqual(1, 2)\n"
        "    @unittest.skip('no GPU')\n"
        "    def test_skipped(self): pass\n"
    ),
    "b_test.py": "import nothing_like_that\n",
    "c_test.py": "import unittest\nclass Files(unittest.TestCase):\n    def test_data(self): open('/nowhere/data')\n",
    "d_test.py": "import os, signal\nos.kill(os.getpid(), signal.SIGKILL)\n",
    "e_test.py": "import signal\ndef test_long(): signal.pause()\n",
    "f_test.py": "",
    "other.py": "raise SystemExit(1)\n",
}


@pytest.fixture
def trees(tmp_path: Path) -> Path:
    (tmp_path / "upstream.py").write_text(TESTS)
    (tmp_path / "trees/toy").mkdir(parents=True)
    for name, text in FILES.items():
        (tmp_path / "trees/toy" / name).write_text(text)
    return tmp_path / "trees"


def run(trees: Path, *pythons: str, **choice: str) -> subprocess.CompletedProcess[str]:
    folder = trees.parent / "upstream"
    folder.mkdir(exist_ok=True)
    arguments = [str(trees.parent / "upstream.py"), str(trees), str(folder), *(pythons or (sys.executable,))]
    variables = {f"KILN_UPSTREAM_{name.upper()}": value for name, value in choice.items()}
    return subprocess.run(
        [sys.executable, str(RUNNER), *arguments],
        env={**os.environ, "KILN_JOBS": "2", "KILN_UPSTREAM_SECONDS": "20", **variables},
        capture_output=True,
        text=True,
    )


def test_each_way_in_which_a_test_ends_is_told_apart(trees: Path) -> None:
    done = run(trees, only="[abcdf]_test.py")
    assert done.returncode == 0, done.stderr
    found = read_upstream(trees.parent)
    assert (found.files, found.of, found.against) == (5, 6, None)
    endings = {name: ending for name, (ending, _) in found.wheel.items()}
    (broken,) = (name for name in endings if name.startswith("b_test.py"))
    assert endings == {
        "a_test.py::Sums::test_right": "passed",
        "a_test.py::Sums::test_wrong": "failed",
        "a_test.py::Sums::test_skipped": "skipped",
        broken: "failed",
        "c_test.py::Files::test_data": "failed",
        "d_test.py": "failed",
        "f_test.py": "failed",
    }
    assert found.why("a_test.py::Sums::test_wrong") == "AssertionError: 1 != 2"
    assert found.why("d_test.py") == "status -9: it printed nothing"
    assert found.failures["a_test.py::Sums::test_wrong"] == "this wheel alone"
    assert found.failures["c_test.py::Files::test_data"] == "known"
    assert found.count("failed") == (5, None)
    assert "[5/5]" in done.stdout and "kiln-total: 5" in done.stdout


def test_a_file_that_does_not_end_is_stopped(trees: Path) -> None:
    assert run(trees, only="e_test.py", seconds="2").returncode == 0
    assert read_upstream(trees.parent).wheel == {"e_test.py": ("failed", "not finished after 2 s")}


def test_a_larger_sample_has_all_of_a_smaller_one(trees: Path) -> None:
    for name in ("b_test.py", "d_test.py", "e_test.py"):
        (trees / "toy" / name).write_text(FILES["a_test.py"])
    chosen = []
    for number in "123":
        assert run(trees, sample=number).returncode == 0
        chosen.append({name.partition("::")[0] for name in read_upstream(trees.parent).wheel})
    assert [len(each) for each in chosen] == [1, 2, 3] and chosen[0] < chosen[1] < chosen[2]


def test_a_pattern_for_no_file_is_named(trees: Path) -> None:
    done = run(trees, only="*/keras/*")
    assert done.returncode == 1 and "kiln-error: of 6 test files none is named */keras/*" in done.stderr


def test_what_fails_on_both_wheels_is_not_this_wheels_fault() -> None:
    passed, failed = ("passed", ""), ("failed", "no")
    found = UpstreamResult(
        2, 2, {"d": "no data"}, {"a": failed, "b": failed, "c": passed, "d": failed},
        {"a": failed, "b": passed, "c": failed, "d": passed},
    )  # fmt: skip
    assert found.failures == {
        "a": "both wheels", "b": "this wheel alone", "c": "the other wheel alone", "d": "known",
    }  # fmt: skip
    assert found.count("failed") == (3, 2)


@pytest.mark.parametrize(
    "text",
    ["", "[]", '{"files": 1}', json.dumps({"files": 1, "of": 1, "known": {}, "wheel": {"a": ["odd", ""]}})],
)
def test_results_that_are_none_are_named(tmp_path: Path, text: str) -> None:
    (tmp_path / "upstream").mkdir()
    (tmp_path / "upstream/results.json").write_text(text)
    with pytest.raises(SmokeError, match="no readable results"):
        read_upstream(tmp_path)
