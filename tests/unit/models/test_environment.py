from __future__ import annotations

import sys
from pathlib import Path

import pytest

from kiln.core.console import Console
from kiln.core.errors import UsageError
from kiln.core.home import Home
from kiln.models import environment
from kiln.models.environment import Environment, Given, Pins
from tests.support.locked import lock, wheel

__all__ = ["lock"]

VERSION = f"{sys.version_info.major}.{sys.version_info.minor}"


def test_wheels_that_do_not_fit_are_told(tmp_path: Path, lock: Path) -> None:
    for path, reason in {
        tmp_path / "two.tar.gz": "is not named like a wheel",
        tmp_path / "two-1.0-py3-none-any.whl": "there is no file",
        wheel(tmp_path, "three"): "a wheel of three, which lock.txt does not pin",
    }.items():
        with pytest.raises(UsageError, match=reason):
            Pins("it", lock, wheel=path).text()


def test_a_lock_keeps_everything_but_the_one_pin(tmp_path: Path) -> None:
    path = wheel(tmp_path, "b")
    text = "# remark\n\na==1 \\\n    --hash=sha256:00\nB [x]==2 ; python_version < '4' \\\n    --hash=sha256:11\nc==3\n"
    changed = environment.with_wheel(text, path, "lock")
    assert changed.startswith("# remark\n")
    assert "a==1 \\\n    --hash=sha256:00\nb @ file://" in changed
    assert changed.endswith("c==3\n")
    assert "sha256:11" not in changed


def test_interpreters_are_found_at_a_prefix_in_path_and_where_pyenv_has_them(tmp_path: Path) -> None:
    prefix = tmp_path / "pyenv" / "versions" / f"{VERSION}.1"
    (prefix / "bin").mkdir(parents=True)
    program = prefix / "bin" / f"python{VERSION}"
    program.symlink_to(sys.executable)
    elsewhere = {"PATH": "/nowhere", "PYENV_ROOT": str(tmp_path / "pyenv")}
    for place, variables in ((str(prefix), {}), ("", {"PATH": str(prefix / "bin")}), ("", elsewhere)):
        assert environment.interpreter(VERSION, place, variables) == program
    with pytest.raises(UsageError, match="holds no working bin/python"):
        environment.interpreter(VERSION, str(tmp_path), {})
    with pytest.raises(UsageError, match="name one with --python-prefix"):
        environment.interpreter("3.0", "", {"PATH": "/nowhere", "HOME": str(tmp_path)})


def test_an_environment_of_the_users_is_taken_as_it_is(tmp_path: Path, lock: Path) -> None:
    home = Home.of({"KILN_HOME": str(tmp_path / "home")})
    made = made_of(home, Given(VERSION, folder=sys.prefix), lock)
    assert made.folder == Path(sys.prefix)
    with pytest.raises(UsageError, match="leave out --python-prefix"):
        made_of(home, Given(VERSION, prefix="/usr", folder=sys.prefix), lock)
    with pytest.raises(UsageError, match="holds no bin/python"):
        made_of(home, Given(VERSION, folder=str(tmp_path)), lock)


def made_of(home: Home, given: Given, lock: Path) -> Environment:
    return environment.obtain(home, given, Pins("it", lock), {}, True, Console())


def test_a_program_sees_its_own_environment_first_and_nobody_elses_modules() -> None:
    variables = Environment(Path("/e")).variables(
        {"PATH": "/bin", "PYTHONPATH": "/x", "HOME": "/h"}, MORE="1"
    )
    assert variables["PATH"] == "/e/bin:/bin"
    assert "PYTHONPATH" not in variables
    assert (variables["HOME"], variables["MORE"]) == ("/h", "1")
