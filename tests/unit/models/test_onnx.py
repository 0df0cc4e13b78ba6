from __future__ import annotations

import io
import json
from pathlib import Path

import pytest
import rich.console
from hypothesis import given
from hypothesis import strategies as st

from kiln.core.console import Console
from kiln.core.errors import SmokeError, UsageError
from kiln.models import onnx, onnx_report, onnx_suite
from kiln.models.onnx import Answer, Bad, Matrix
from kiln.models.onnx_suite import Result
from kiln.smoke.results import Case, SmokeResult
from tests.support.repository import ROOT

BAD = (Bad("tf2onnx", "<1.14", "it is wrong"), Bad("onnxruntime", ">=1.12,<1.14", "so is it"))


@given(st.sets(st.integers(1, 15), min_size=1))
def test_a_list_of_opsets_gives_each_once_in_order(wanted: set[int]) -> None:
    assert onnx.opsets(",".join(map(str, wanted))) == tuple(sorted(wanted))


@given(st.integers(1, 15), st.integers(1, 15))
def test_a_range_of_opsets_has_both_ends(first: int, last: int) -> None:
    text = f"{first}-{last}"
    if first <= last:
        assert onnx.opsets(f"{text}, {last}") == tuple(range(first, last + 1))
    else:
        with pytest.raises(UsageError, match="is not a list of opsets"):
            onnx.opsets(text)


@given(st.text(st.sampled_from("0179-, x٣"), max_size=8))
def test_whatever_is_given_for_opsets_is_read_or_refused(text: str) -> None:
    try:
        assert set(onnx.opsets(text)) <= set(onnx.OPSETS)
    except UsageError as error:
        assert repr(text) in str(error)


def test_versions_known_to_be_bad_are_refused_with_the_reason() -> None:
    onnx.refuse({"tf2onnx": "1.16.1", "onnxruntime": "1.10.0", "numpy": "1.18.5"}, BAD)
    onnx.refuse({"onnxruntime": "1.14.1"}, BAD)
    for version in ("1.9.3", "1.13.0"):
        with pytest.raises(UsageError, match=f"tf2onnx {version}: it is wrong"):
            onnx.refuse({"tf2onnx": version, "onnxruntime": "1.10.0"}, BAD)
    with pytest.raises(UsageError) as caught:
        onnx.refuse({"tf2onnx": "1.12.1", "onnxruntime": "1.12.1"}, BAD)
    assert "onnxruntime 1.12.1: so is it" in str(caught.value)


def test_the_pinned_versions_are_not_among_the_refused() -> None:
    pinned = (ROOT / "layers" / "requirements-onnx.txt").read_text(encoding="utf-8")
    lines = [line.split(" ")[0].split("==") for line in pinned.splitlines() if "==" in line]
    onnx.refuse(dict(map(tuple, lines)), onnx.known_bad(ROOT))


def matrix(*answers: Answer) -> Matrix:
    return Matrix({"tf2onnx": "1.16.1"}, answers)


def test_an_op_that_an_opset_lacks_is_no_failure() -> None:
    onnx.judge(matrix(Answer("m", "onnx", 7, reason="lacks X"), Answer("m", "onnx", 13, error=1e-7, scale=1)))


@pytest.mark.parametrize("error", [0.42, float("inf"), float("nan")])
def test_an_answer_that_differs_is_a_failure(error: float) -> None:
    with pytest.raises(SmokeError, match="m at opset 9 differs from TensorFlow"):
        onnx.judge(matrix(Answer("m", "onnx", 9, error=error, scale=1)))


def test_a_model_that_runs_at_no_opset_is_a_failure() -> None:
    with pytest.raises(SmokeError, match="m runs with none of these opsets"):
        onnx.judge(matrix(Answer("m", "onnx", 7, reason="lacks X"), Answer("m", "tflite", error=0.0)))


def test_differences_are_judged_by_the_size_of_the_answers() -> None:
    assert not Answer("m", "onnx", 9, error=4e-4, scale=500).wrong
    assert Answer("m", "onnx", 9, error=4e-4, scale=0.1).wrong


def test_the_manifest_lists_the_files_that_are_there(tmp_path: Path) -> None:
    (tmp_path / "m").mkdir()
    there, absent = tmp_path / "m" / "a.onnx", tmp_path / "m" / "b.onnx"
    there.touch()
    onnx.write_manifest(
        matrix(
            Answer("m", "onnx", 9, error=float("inf"), file=str(there)),
            Answer("m", "onnx", 7, reason="lacks X", file=str(absent)),
        ),
        tmp_path,
    )
    text = (tmp_path / onnx.MANIFEST).read_text(encoding="utf-8")
    (listed,) = json.loads(text)["models"]
    assert listed == {"model": "m", "format": "onnx", "opset": 9, "file": "m/a.onnx", "error": "infinite"}


def printed(show: object, *arguments: object) -> list[str]:
    file = io.StringIO()
    show(*arguments, Console(rich.console.Console(file=file, width=100)))  # type: ignore[operator]
    return [" ".join(line.split()) for line in file.getvalue().splitlines()]


def test_the_matrix_shows_differences_and_tells_each_reason_once() -> None:
    answers = (
        Answer("a", "onnx", 7, reason="lacks X"),
        Answer("a", "onnx", 8, error=2e-7, scale=1),
        Answer("b", "onnx", 7, reason="lacks X"),
        Answer("b", "onnx", 8, error=0.4, scale=1),
        Answer("a", "h5", file="f"),
    )
    lines = printed(onnx_report.matrix, matrix(*answers), None)
    for line in ("opset 7 8", "a (1) 2e-07", "b (1) wrong 4e-01", "file h5", "a written", "(1) lacks X"):
        assert line in lines
    assert sum("lacks X" in line for line in lines) == 1


def test_the_suites_counts_and_failures_are_shown_by_opset_and_fail_the_command() -> None:
    def result(opset: int, *failures: str) -> Result:
        endings = [("failed", name) for name in failures] + [("passed", "p")] * 10 + [("skipped", "s")] * 3
        cases = tuple(Case("t", name, ending, "", 0.0, ()) for ending, name in endings)
        return Result(opset, SmokeResult(Path("x"), cases, {}))

    results = [result(7, "a"), result(8), result(9, "a", "b")]
    lines = printed(onnx_report.suite, results)
    for line in (
        "opset passed failed skipped",
        "9 10 2 3",
        "failed t.a at opset 7, 9",
        "failed t.b at opset 9",
    ):
        assert line in lines
    onnx_suite.judge([results[1]])
    with pytest.raises(SmokeError, match="1 at opset 7, 2 at opset 9"):
        onnx_suite.judge(results)
