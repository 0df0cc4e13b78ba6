"""`./inv onnx`: the layer library's models in ONNX, and tf2onnx's own tests."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from kiln.core import Console, Home
from kiln.models import environment, onnx, onnx_report, onnx_suite
from kiln.sources import FetchSettings


@dataclass(frozen=True)
class OnnxSettings:
    """`opsets` is a list such as 7-13; `wheel`, `python_prefix` and `venv` say what to convert with."""

    home: Home
    sources: FetchSettings
    opsets: str
    output: Path | None = None
    wheel: Path | None = None
    python_prefix: str = ""
    venv: str = ""


def run_models(
    root: Path, settings: OnnxSettings, models: str, variables: Mapping[str, str], console: Console
) -> None:
    """Convert models at each opset and print how far their answers are from TensorFlow's."""
    wanted = onnx.opsets(settings.opsets)
    with _environment(root, settings, variables, console) as made:
        matrix = onnx.run(root, made, variables, wanted, models, settings.output, console)
        onnx_report.matrix(matrix, settings.output, Console.for_output())
        onnx.judge(matrix)


def run_upstream_tests(
    root: Path, settings: OnnxSettings, k: str, jobs: int, variables: Mapping[str, str], console: Console
) -> None:
    """Run tf2onnx's own test suite at each opset and print the counts."""
    wanted = onnx.opsets(settings.opsets)
    with _environment(root, settings, variables, console) as made:
        suite = onnx_suite.Suite(root, settings.home, settings.sources, made, variables)
        results = onnx_suite.run(suite, wanted, k, jobs, settings.output, console)
        onnx_report.suite(results, Console.for_output())
        onnx_suite.judge(results)


@contextmanager
def _environment(
    root: Path, settings: OnnxSettings, variables: Mapping[str, str], console: Console
) -> Iterator[environment.Environment]:
    pins = onnx.pins(root, settings.wheel)
    given = environment.Given(onnx.PYTHON, settings.python_prefix, settings.venv)
    with settings.home.in_use(console):
        yield environment.obtain(settings.home, given, pins, variables, settings.sources.offline, console)
