"""The layer library's models in ONNX, on the TensorFlow 1.15.5 that its makers published."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from kiln.archive import tree_digest, unpacker
from kiln.core.console import Console
from kiln.core.errors import UsageError
from kiln.core.home import Home
from kiln.models import onnx_suite
from kiln.models.environment import Environment
from kiln.sources.settings import FetchSettings
from tests.support.gits import Repository
from tests.support.repository import ROOT

SUITE = """\
import os
import pytest

OPSET = int(os.environ["TF2ONNX_TEST_OPSET"])

def test_of_every_opset():
    import tf2onnx
    assert "site-packages" in tf2onnx.__file__

@pytest.mark.skipif(OPSET < 9, reason="new")
def test_of_new_opsets():
    pass

def test_that_kills_its_process_at_opset_9():
    if OPSET == 9:
        os.abort()
"""


def run(venv: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, ROOT / "tasks.py", "onnx", "--venv", venv, *arguments],
        env={**os.environ, "COLUMNS": "120"}, capture_output=True, text=True,
    )  # fmt: skip


def test_models_are_converted_compared_and_written(tensorflow: Environment, tmp_path: Path) -> None:
    models = "pyramid,residual v1 bottleneck"
    done = run(tensorflow.folder, "--opsets", "9,13", "--models", models, "--output", str(tmp_path / "out"))
    assert done.returncode == 0, done.stderr
    assert "(1)  lacks StridedSlice" in done.stdout
    pyramid, residual = (
        next(line.split()[-2:] for line in done.stdout.splitlines() if line.startswith(name))
        for name in models.split(",")
    )
    assert pyramid[0] == "(1)"
    assert all(float(text) < 1e-5 for text in (pyramid[1], *residual))
    manifest = json.loads((tmp_path / "out" / "models.json").read_text(encoding="utf-8"))
    written = {(each["model"], each["format"], each.get("opset")): each for each in manifest["models"]}
    for format in ("h5", "SavedModel", "pb", "tflite"):
        assert (tmp_path / "out" / written["residual v1 bottleneck", format, None]["file"]).exists()
    assert written["pyramid", "onnx", 13]["error"] < 1e-5
    again = run(tensorflow.folder, "--output", str(tmp_path / "out"))
    assert again.returncode == 2
    assert "exists already" in again.stderr


def test_a_model_that_there_is_not_and_a_venv_without_the_converter_are_told(
    tensorflow: Environment,
) -> None:
    unknown = run(tensorflow.folder, "--models", "pyramids")
    assert unknown.returncode == 2
    assert "there is no model 'pyramids': choose some of threshold, " in unknown.stderr
    lacking = run(Path(sys.prefix))
    assert lacking.returncode == 2
    assert "cannot run the converter" in lacking.stderr
    assert "Traceback" not in lacking.stderr


def test_the_suite_runs_at_each_opset_and_a_test_that_kills_its_process_has_failed(
    tensorflow: Environment, tmp_path: Path
) -> None:
    repository = Repository(
        tmp_path / "forge", {"tests/test_it.py": SUITE, "tf2onnx/__init__.py": "raise SystemExit"}
    )
    repository.bare(tmp_path / "mirrors")
    made = repository.origin(repository.forge_archive())
    (tmp_path / "made").write_bytes(repository.forge_archive())
    unpacker.unpack(tmp_path / "made", tmp_path / "tree", "name-1")
    pinned = tmp_path / "layers" / "export" / "sources.yaml"
    pinned.parent.mkdir(parents=True)
    origin = f"{{git: '{made.git}', commit: {made.commit}, prefix: {made.prefix}, format: tar.gz, sha256: {made.sha256}"
    tree = tree_digest(tmp_path / "tree")
    pinned.write_text(
        f"sources:\n  - name: suite\n    tree: {tree}\n    origins:\n      - {origin}, member: name-1}}\n",
        encoding="utf-8",
    )
    home = Home.of({"KILN_HOME": str(tmp_path / "home")})
    settings = FetchSettings(git_mirrors=(f"{tmp_path}/mirrors/{{owner}}/{{repo}}.git",))
    suite = onnx_suite.Suite(tmp_path, home, settings, tensorflow, os.environ)
    found = onnx_suite.run(suite, [7, 9, 10], "", 1, tmp_path / "reports", Console())
    counts = [
        (each.opset, each.outcome.count("passed"), each.failed, each.outcome.count("skipped"))
        for each in found
    ]
    assert counts == [(7, 2, 0, 1), (9, 2, 1, 0), (10, 3, 0, 0)]
    assert "kills_its_process" in found[1].outcome.failures[0].name
    assert (tmp_path / "reports" / "upstream-opset9.xml").exists()
    with pytest.raises(UsageError, match="chooses no test"):
        onnx_suite.run(suite, [7], "nothing", 1, None, Console())
