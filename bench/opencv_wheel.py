"""The OpenCV wheel that Kiln built against the one on the package index, 21 operations on 1080p, side by side."""

from __future__ import annotations

import argparse
import json
import math
import os
import subprocess
import sys
import tempfile
from pathlib import Path

from rich.console import Console
from rich.progress import track
from rich.table import Table

ROOT = Path(__file__).resolve().parent.parent
OFFICIAL = "opencv-python==4.3.0.38"
ROUNDS = 4
SECONDS = 0.25


class Worker:
    """One wheel in an environment of its own, timing operations on request."""

    def __init__(self, python: Path) -> None:
        # NumPy's own threads are not what is compared.
        environment = {**os.environ, "OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1"}
        self._process = subprocess.Popen(
            [str(python), str(Path(__file__).with_name("opencv_operations.py"))],
            env=environment, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
        )  # fmt: skip
        self.version, *self.operations = self._line().split("\t")

    def ask(self, what: str, number: float) -> float:
        assert self._process.stdin is not None
        print(what, number, file=self._process.stdin, flush=True)
        return float(self._line())

    def _line(self) -> str:
        assert self._process.stdout is not None
        line = self._process.stdout.readline()
        if not line:
            raise SystemExit("a worker ended: its own error is above")
        return line.rstrip("\n")


def environment(python: str, wheel: str, folder: Path) -> Path:
    """A virtual environment with one wheel and one NumPy in it: the path of its interpreter."""
    subprocess.run([python, "-m", "venv", folder], check=True)
    pip = [folder / "bin/python", "-m", "pip", "install", "--quiet", "--disable-pip-version-check"]
    subprocess.run([*pip, "--only-binary", ":all:", wheel, "numpy<2"], check=True)
    return folder / "bin" / "python"


def compare(ours: Worker, official: Worker, threads: int) -> dict[str, tuple[float, float]]:
    """Milliseconds of both for each operation; the two take turns, so that both meet the same machine."""
    for worker in (ours, official):
        worker.ask("threads", threads)
    times = dict.fromkeys(ours.operations, (math.inf, math.inf))
    for _ in track(range(ROUNDS), f"{threads} thread(s)", transient=True, console=Console(stderr=True)):
        for name, (a, b) in times.items():
            times[name] = (min(a, ours.ask(name, SECONDS)), min(b, official.ask(name, SECONDS)))
    return times


def mean(ratios: list[float]) -> float:
    return math.exp(sum(map(math.log, ratios)) / len(ratios))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument(
        "result", nargs="?", type=Path, default=ROOT / "dist/opencv/4.3.0/cp37-cpu-bookworm-sse4.2",
        help="the folder of a build (default: %(default)s), for Python 3.6 to 3.8, which the other wheel is for",
    )  # fmt: skip
    result = parser.parse_args().result
    wheels = list(result.glob("*.whl"))
    if len(wheels) != 1:
        raise SystemExit(
            f"{result} has no wheel: run `./inv build-opencv --python 3.7 --python-prefix DIR` first"
        )
    python = json.loads((result / "plan.json").read_text())["inputs"]["interpreter"]["executable"]
    with tempfile.TemporaryDirectory() as folder:
        ours, official = (
            Worker(environment(python, wheel, Path(folder, name)))
            for name, wheel in (("ours", str(wheels[0])), ("official", OFFICIAL))
        )
        cores = len(os.sched_getaffinity(0))
        rounds = {count: compare(ours, official, count) for count in dict.fromkeys((1, cores))}
    table = Table("operation", box=None, pad_edge=False, header_style="bold")
    for count in rounds:
        for title in (f"Kiln, {count} thr., ms", "other, ms", "ratio"):
            table.add_column(title, justify="right")
    for name in ours.operations:
        cells = [
            (f"{a:.2f}", f"{b:.2f}", f"{b / a:.2f}") for a, b in (times[name] for times in rounds.values())
        ]
        table.add_row(name, *(text for group in cells for text in group))
    means = [mean([b / a for a, b in times.values()]) for times in rounds.values()]
    table.add_row(
        "geometric mean", *(text for value in means for text in ("", "", f"{value:.2f}")), style="bold"
    )
    Console(width=140).print(table)
    print(f"ratio: the other wheel's time ({OFFICIAL}) / Kiln's; above 1 Kiln's is faster. {wheels[0].name}")
    sys.exit(0 if min(means) >= 1 else 1)


if __name__ == "__main__":
    main()
