from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from kiln.build import Budget
from kiln.commands import matrix_build
from kiln.commands.matrix import Wanted
from kiln.commands.matrix_build import ManySettings, at_once, worst_of
from kiln.core import Console, KilnError
from kiln.recipe import Catalogue
from tests.support import repository

ROWS = """\
rows:
  - {recipe: toy/1.0, cpu_features: [sse4.2, baseline, avx, "avx,avx2"]}
"""
# In place of a build: what it does is in a file of its processor's features, else it is done.
PROGRAM = """\
import os, pathlib, signal, sys, time
features = sys.argv[sys.argv.index("--cpu-features") + 1] if "--cpu-features" in sys.argv else "own"
here = pathlib.Path(__file__).parent
with (here / "order").open("a") as order:
    order.write(f"{features} {' '.join(sys.argv[3:])}\\n")
does = here / f"does-{features}"
text = does.read_text() if does.exists() else "0"
if text == "wait":
    signal.signal(signal.SIGINT, lambda *_: (here / "interrupted").touch() or sys.exit(130))
    (here / "waits").touch()
    signal.pause()
print("compile ...", flush=True)
if text != "0":
    print(f"error: it ends with {text} for https://me:secret@toy.example/")
sys.exit(int(text))
"""
BASELINE, AVX, OWN = "toy-1.0-cp311-cpu-bookworm-baseline", "toy-1.0-cp311-cpu-bookworm-avx", "own"


@pytest.fixture
def root(tmp_path: Path) -> Path:
    return repository.make(tmp_path, **{"ci/matrix.yaml": ROWS, "tasks.py": PROGRAM})


def run(root: Path, wanted: Wanted | None = None, **changed: object) -> None:
    settings = {"environment": os.environ, "at_once": 2, "jobs": 4, **changed}
    matrix_build.run(
        Catalogue(root), wanted or Wanted(), False, ManySettings(**settings), Console()  # type: ignore[arg-type]
    )  # fmt: skip


def order(root: Path) -> list[str]:
    return [line.split()[0] for line in (root / "order").read_text().splitlines()]


def test_every_row_is_built_and_what_is_asked_for_is_passed_on(
    root: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    run(root, words=("--setup",))
    # One compile cache: one after another, each with all compilers.
    assert order(root) == ["own", "baseline", "avx", "avx,avx2"]
    assert "--setup --jobs 4" in (root / "order").read_text()
    said = capsys.readouterr().err
    assert said.count(": built (") == 4 and "4 builds, 1 at once" in said


def test_only_what_is_wanted_is_built(root: Path) -> None:
    run(root, Wanted(name=AVX))
    assert order(root) == ["avx"]


def test_a_failure_stops_no_other_and_the_worst_exit_code_is_that_of_all(
    root: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    for features, status in (("own", "75"), ("baseline", "3"), ("avx", "1")):
        (root / f"does-{features}").write_text(status)
    with pytest.raises(KilnError) as failed:
        run(root)
    assert order(root)[-1] == "avx,avx2"
    assert failed.value.exit_code == 1 and "3 of 4 builds are not finished" in str(failed.value)
    assert f"{BASELINE}: error: it ends with 3" in str(failed.value) and "secret" not in str(failed.value)
    assert "stopped by the time budget" in capsys.readouterr().err
    (root / "does-avx").unlink()
    (root / "does-baseline").unlink()
    with pytest.raises(KilnError) as stopped:
        run(root)
    assert stopped.value.exit_code == 75


def test_what_the_time_budget_leaves_no_time_for_does_not_begin(root: Path) -> None:
    with pytest.raises(KilnError) as stopped:
        run(root, budget=Budget("1s", 0.0))
    assert stopped.value.exit_code == 75 and not (root / "order").exists()
    assert "ended before it began" in str(stopped.value)


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGKILL])
def test_a_build_under_way_ends_with_the_command_however_that_ends(root: Path, number: int) -> None:
    (root / "does-own").write_text("wait")
    code = (
        "import os; from pathlib import Path; from tests.unit.commands import test_matrix_build as test;"
        f"test.run(Path({str(root)!r}))"
    )
    with subprocess.Popen(
        [sys.executable, "-c", code], cwd=repository.ROOT, stderr=subprocess.PIPE, stdout=subprocess.DEVNULL
    ) as process:
        while not (root / "waits").exists():
            assert process.poll() is None, process.stderr and process.stderr.read()
        process.send_signal(number)
        process.wait()
    while not (root / "interrupted").exists():
        pass
    assert order(root) == ["own"]


def test_how_many_run_together() -> None:
    many = 10**12
    assert at_once(0, 9, processors=2, there=many) == 1
    assert at_once(0, 9, processors=64, there=many) == 8
    assert at_once(0, 9, processors=64, there=40 * 10**9) == 2
    assert at_once(0, 3, processors=64, there=many) == 3
    assert at_once(5, 9, processors=2, there=many) == 5


def test_the_worst_exit_code() -> None:
    assert worst_of([0, 0]) == 0
    assert worst_of([0, 75, None]) == 75
    assert worst_of([6, 1, 3]) == 1
    assert worst_of([0, 137]) == 137
