"""tf2onnx's own test suite from its pinned source, once for each opset."""

from __future__ import annotations

import subprocess
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from kiln import smoke, sources
from kiln.core import Console, Home, KilnError, SmokeError, UsageError, read_yaml, typed
from kiln.models.environment import Environment
from kiln.recipe import Source, SourceList
from kiln.smoke import SmokeResult
from kiln.sources import Vault

# The suite's settings ask for a coverage plug-in; these folders are suites of other projects, which need the network.
_OPTIONS = (
    *("-q", "-o", "addopts=", "-p", "no:cacheprovider"),
    *(f"--ignore=tests/{name}" for name in ("keras2onnx_applications", "keras2onnx_unit_tests", "tfhub")),
)
# pytest as its own program starts it: as a module it would test the source tree and not the installed package.
_NOTHING = 5  # pytest's exit code where no test was chosen
_EPOCH = 1577836800
_PYTEST = (
    "import sys; del sys.path[0]; sys.argv[0] = 'pytest'; import pytest; sys.exit(pytest.console_main())"
)


@dataclass(frozen=True)
class Result:
    """The counts of the suite at one opset."""

    opset: int
    outcome: SmokeResult

    @property
    def failed(self) -> int:
        return len(self.outcome.failures)


@dataclass(frozen=True)
class Suite:
    """Where the suite comes from, and what it runs in."""

    root: Path
    home: Home
    settings: sources.FetchSettings
    environment: Environment
    variables: Mapping[str, str]

    @property
    def source(self) -> Source:
        """The pinned source of the converter that the lock pins."""
        (found,) = typed(read_yaml(self.root / "layers" / "export" / "sources.yaml"), SourceList).sources
        return found


def run(
    suite: Suite, wanted: Sequence[int], chosen: str, jobs: int, output: Path | None, console: Console
) -> list[Result]:
    """The result for each opset; `chosen` is pytest's -k. JUnit reports go to a folder, if one is given.

    Raises SourceError where the source is not available, UsageError where no test is chosen, KilnError where pytest
    fails.
    """
    with console.transfers() as transfers:
        vault = Vault(suite.home.sources)
        (obtained,) = sources.obtain([suite.source], vault, suite.settings, transfers)
    results = []
    with tempfile.TemporaryDirectory(dir=suite.home.work) as folder:
        tree = Path(folder) / "tree"
        sources.unpack_tree(obtained, tree, _EPOCH)
        reports = output.absolute() if output else Path(folder)
        reports.mkdir(parents=True, exist_ok=True)
        for opset in wanted:
            report = reports / f"upstream-opset{opset}.xml"
            with console.station(f"opset {opset}"):
                results.append(Result(opset, _pytest(suite, tree, report, opset, chosen, jobs)))
    return results


def judge(results: Sequence[Result]) -> None:
    """SmokeError where a test failed."""
    failed = [result for result in results if result.failed]
    if failed:
        opsets = ", ".join(f"{result.failed} at opset {result.opset}" for result in failed)
        raise SmokeError(
            f"tests of tf2onnx failed ({opsets})", "their names are above; --output DIR keeps their reports"
        )


def _pytest(suite: Suite, tree: Path, report: Path, opset: int, chosen: str, jobs: int) -> SmokeResult:
    settings = {
        "TF2ONNX_TEST_OPSET": str(opset),
        "TF2ONNX_TEST_BACKEND": "onnxruntime",
        "OMP_NUM_THREADS": "1",
    }
    command = [
        *(str(suite.environment.python), "-c", _PYTEST, *_OPTIONS, "-n", str(jobs), f"--junitxml={report}"),
        *([f"-k={chosen}"] if chosen else []),
        "tests",
    ]
    done = subprocess.run(
        command, cwd=tree, env=suite.environment.variables(suite.variables, **settings),
        stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, errors="replace",
    )  # fmt: skip
    lines = "\n".join("  " + line for line in done.stdout.strip().splitlines()[-5:])
    if done.returncode == _NOTHING:
        raise UsageError(f"-k {chosen!r} chooses no test", "give another one")
    if done.returncode not in (0, 1):
        raise KilnError(
            f"pytest ended with {done.returncode} at opset {opset}", "read its last lines", detail=lines
        )
    return smoke.read_results(report.parent, report.name)
