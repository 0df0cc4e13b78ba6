"""Environments made by the real pip, from wheels in a folder."""

from __future__ import annotations

import os
import sys
from pathlib import Path

import pytest

from kiln.core.console import Console
from kiln.core.errors import SourceError
from kiln.core.home import Home
from kiln.models import environment
from kiln.models.environment import Environment, Pins
from tests.support.locked import lock, wheel

__all__ = ["lock"]


def made(tmp_path: Path, pins: Pins) -> Environment:
    home = Home.of({"KILN_HOME": str(tmp_path / "home")})
    links = {"PIP_FIND_LINKS": str(tmp_path / "links"), "PYTHONPATH": str(tmp_path / "nowhere")}
    return environment.make(home, Path(sys.executable), pins, {**os.environ, **links}, True, Console())


def value(env: Environment, project: str) -> str:
    (module,) = env.folder.glob(f"lib/python3*/site-packages/{project}.py")
    return module.read_text(encoding="utf-8")


def test_an_environment_is_made_once_for_its_pins_and_anew_where_it_was_not_finished(
    tmp_path: Path, lock: Path
) -> None:
    built = wheel(tmp_path / "with space", "two", 3)
    pins = Pins("it", lock, wheel=built)
    first = made(tmp_path, pins)
    assert (value(first, "one"), value(first, "two")) == ("VALUE = 1\n", "VALUE = 3\n")
    (first.folder / "mark").touch()
    assert made(tmp_path, pins) == first
    assert (first.folder / "mark").exists()
    (first.folder / environment.LOCK).unlink()
    assert made(tmp_path, pins) == first
    assert not (first.folder / "mark").exists()


def test_a_package_with_another_hash_is_not_installed(tmp_path: Path, lock: Path) -> None:
    wheel(tmp_path / "links", "two", 2)
    with pytest.raises(SourceError, match=r"lock\.txt cannot be installed"):
        made(tmp_path, Pins("it", lock))
