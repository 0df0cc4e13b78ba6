"""A wheel of OpenCV with CUDA on the GPU of this machine, beside its own code on the processor, on 3840 x 2160."""

from __future__ import annotations

import argparse
import json
import subprocess
import tempfile
from pathlib import Path

from bench.opencv_wheel import ROOT, environment
from kiln.engine import gpu


def newest() -> Path:
    """The folder of the newest finished build with CUDA."""
    found = (ROOT / "dist/opencv").glob("*/*-cuda-*/*.whl")
    wheels = sorted(found, key=lambda wheel: wheel.stat().st_mtime)
    if not wheels:
        raise SystemExit("there is no OpenCV wheel with CUDA in dist: run `./inv build-opencv --cuda` first")
    return wheels[-1].parent


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument(
        "result", nargs="?", type=Path, help="the folder of a build (default: the newest with CUDA)"
    )
    result = parser.parse_args().result or newest()
    # The environment of a wheel with CUDA is some gigabytes.
    if not gpu.present():
        raise SystemExit(
            "no GPU of NVIDIA's and its driver here (see `./inv doctor --cuda`): nothing is timed"
        )
    (wheel,) = result.glob("*.whl")
    python = json.loads((result / "plan.json").read_text())["inputs"]["interpreter"]["executable"]
    with tempfile.TemporaryDirectory() as folder:
        worker = Path(__file__).with_name("opencv_cuda_operations.py")
        subprocess.run([environment(python, str(wheel), Path(folder)), worker], check=True)


if __name__ == "__main__":
    main()
