"""A wheel of a folder of pure Python, made by pinned builders; its bytes depend on the folder alone."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tempfile
import zipfile
from collections.abc import Iterable
from pathlib import Path

from kiln.archive import EPOCH, pack
from kiln.core import CompileError

_BUILD = "import sys; from setuptools import build_meta; print(build_meta.build_wheel(sys.argv[1]))"


def build(folder: Path, builders: Iterable[Path], target: Path) -> Path:
    """The wheel of a project folder, in the folder `target`. `builders` are the wheels that it is built with.

    Raises CompileError where the build fails.
    """
    with tempfile.TemporaryDirectory() as name:
        work = Path(name)
        for wheel in builders:
            with zipfile.ZipFile(wheel) as archive:
                archive.extractall(work / "builders")
        # Builders write into the folder that they build.
        ignored = shutil.ignore_patterns("*.egg-info", "build", "dist", "__pycache__", ".*", "tests", "docs")
        shutil.copytree(folder, work / "project", ignore=ignored)
        (work / "raw").mkdir()
        done = subprocess.run(
            [sys.executable, "-c", _BUILD, work / "raw"],
            cwd=work / "project",
            env={
                "PATH": os.defpath,
                "HOME": name,
                "LC_ALL": "C.UTF-8",
                "PYTHONPATH": str(work / "builders"),
                "SOURCE_DATE_EPOCH": str(EPOCH),
            },
            capture_output=True,
            text=True,
        )
        wheels = list((work / "raw").glob("*.whl"))
        if done.returncode or len(wheels) != 1:
            last = (done.stderr.strip().splitlines() or ["no wheel came out"])[-1]
            raise CompileError(f"no wheel can be made of {folder} ({last})", "fix its setup.cfg")
        with zipfile.ZipFile(wheels[0]) as archive:
            archive.extractall(work / "tree")
        target.mkdir(parents=True, exist_ok=True)
        made = target / wheels[0].name
        pack(work / "tree", made, "zip")
    return made
