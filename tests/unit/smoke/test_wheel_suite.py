"""The suite that every wheel must pass, on packages that are made here."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.support.repository import ROOT


def package(folder: Path, name: str, files: list[str]) -> None:
    info = folder / f"{name}-1.0.dist-info"
    info.mkdir()
    (info / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {name}\nVersion: 1.0\n")
    (info / "RECORD").write_text("".join(f"{file},,\n" for file in files))


@pytest.mark.parametrize("installed", [True, False])
def test_a_library_of_another_package_is_not_missing_where_that_is_installed(
    tmp_path: Path, installed: bool
) -> None:
    (tmp_path / "other").mkdir()
    (tmp_path / "own").mkdir()
    (tmp_path / "a.c").write_text("int a(void) { return 1; }")
    (tmp_path / "b.c").write_text("int a(void); int b(void) { return a(); }")
    for command in (
        ["gcc", "-shared", "-fPIC", "a.c", "-Wl,-soname,libother.so.1", "-o", "other/libother.so.1"],
        ["gcc", "-shared", "-fPIC", "b.c", "other/libother.so.1", "-o", "own/own.so"],
    ):
        subprocess.run(command, cwd=tmp_path, check=True)
    package(tmp_path, "own", ["own/own.so"])
    if installed:
        package(tmp_path, "other", ["other/libother.so.1"])
    variables = {"PYTHONPATH": f"{tmp_path}:{ROOT / 'smoke/common'}", "KILN_DISTRIBUTION": "own"}
    done = subprocess.run(
        [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", ROOT / "smoke/common/test_wheel.py",
         "-k", "no_shared_library"],
        cwd=tmp_path, env={**os.environ, **variables}, stdout=subprocess.PIPE, text=True,
    )  # fmt: skip
    assert (done.returncode == 0, "libother.so.1" in done.stdout) == (installed, not installed), done.stdout
