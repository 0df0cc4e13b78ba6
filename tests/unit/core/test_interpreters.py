from __future__ import annotations

import sys
from pathlib import Path

import pytest

from kiln.commands import smoke
from kiln.core.errors import UsageError
from kiln.core.interpreters import find_python, python_program

VERSION = f"{sys.version_info.major}.{sys.version_info.minor}"


def program(folder: Path, text: str) -> Path:
    """A program named as this interpreter, in a new folder."""
    folder.mkdir(parents=True)
    path = folder / f"python{VERSION}"
    path.write_text(f"#!/bin/sh\n{text}\n")
    path.chmod(0o755)
    return path


def shim(folder: Path) -> Path:
    """pyenv's stand-in for a version that is not chosen."""
    return program(folder, f"echo 'pyenv: python{VERSION}: command not found' >&2\nexit 127")


def test_an_interpreter_knows_where_it_is_installed(tmp_path: Path) -> None:
    found = python_program(Path(sys.executable), {})
    assert found is not None
    assert (found.program, found.prefix) == (Path(sys.executable), Path(sys.base_prefix))


@pytest.mark.parametrize("text", ["exit 127", "exit 0", "echo x; exit 1"])
def test_a_program_that_is_not_a_working_interpreter_is_none(tmp_path: Path, text: str) -> None:
    assert python_program(program(tmp_path / "bin", text), {}) is None
    assert python_program(tmp_path / "nothing", {}) is None


def test_behind_a_shim_that_does_not_work_pyenvs_own_version_is_found(tmp_path: Path) -> None:
    real = tmp_path / "pyenv" / "versions" / f"{VERSION}.1" / "bin" / f"python{VERSION}"
    real.parent.mkdir(parents=True)
    real.symlink_to(sys.executable)
    variables = {"PATH": str(shim(tmp_path / "shims").parent), "PYENV_ROOT": str(tmp_path / "pyenv")}
    found = find_python(VERSION, variables)
    assert found is not None and found.program == real


def test_a_smoke_run_on_a_machine_with_only_a_shim_says_what_to_give(tmp_path: Path) -> None:
    variables = {"PATH": str(shim(tmp_path / "shims").parent), "PYENV_ROOT": str(tmp_path)}
    with pytest.raises(UsageError, match=rf"no working python{VERSION} .*: give --python-prefix DIR"):
        smoke._on_this_machine(VERSION, variables)
