"""The Python interpreters of this machine that work."""

from __future__ import annotations

import shutil
import subprocess
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

_CODE = "import ensurepip, sys, venv; print(sys.base_prefix)"


@dataclass(frozen=True)
class PythonProgram:
    """An interpreter that can make virtual environments: its program, and the folder that it is installed in."""

    program: Path
    prefix: Path


def python_program(program: Path, environment: Mapping[str, str]) -> PythonProgram | None:
    """A program as an interpreter; None where it is not one that works, such as a pyenv shim without a version."""
    try:
        done = subprocess.run(
            [str(program), "-c", _CODE], env=dict(environment), stdin=subprocess.DEVNULL, capture_output=True,
            text=True, errors="replace",
        )  # fmt: skip
    except OSError:
        return None
    prefix = done.stdout.strip()
    return PythonProgram(program, Path(prefix)) if not done.returncode and prefix else None


def find_python(version: str, environment: Mapping[str, str]) -> PythonProgram | None:
    """The interpreter of a version such as "3.7": from PATH, else the newest of pyenv's; None where none works."""
    name = f"python{version}"
    found = shutil.which(name, path=environment.get("PATH", ""))
    places = [Path(found)] if found else []
    places += sorted(pyenv_root(environment).glob(f"versions/{version}.*/bin/{name}"), reverse=True)
    return next(filter(None, (python_program(place, environment) for place in places)), None)


def pyenv_root(environment: Mapping[str, str]) -> Path:
    """The folder in which pyenv keeps its versions."""
    return Path(environment.get("PYENV_ROOT") or f"{environment.get('HOME', '')}/.pyenv")
