from __future__ import annotations

import os
import shutil
from pathlib import Path

import pytest

from kiln import archive
from kiln.core.errors import CompileError
from kiln.index import purewheel
from kiln.recipe import Catalogue
from kiln.sources import fetch
from kiln.sources.settings import FetchSettings
from kiln.sources.vault import Vault
from tests.support.loopback import Notes
from tests.support.repository import ROOT


@pytest.fixture(scope="module")
def builders(vault: Path) -> list[Path]:
    """The pinned setuptools and wheel for Python 3.7, which run on every Python that runs Kiln."""
    loaded = Catalogue(ROOT).load("tensorflow", "1.15.5")
    wanted = [
        source
        for source in loaded.sources
        if source.use == "smoke" and source.name in ("setuptools", "wheel") and "3.7" in source.when["python"]
    ]
    settings = FetchSettings.from_environment(os.environ)
    return [each.path for each in fetch.obtain(wanted, Vault(vault), settings, Notes())]


def test_a_pure_project_gives_the_same_wheel_whatever_lies_around_it(
    builders: list[Path], tmp_path: Path
) -> None:
    copy = tmp_path / "copy"
    shutil.copytree(ROOT / "layers", copy)
    (copy / "build").mkdir()
    (copy / "build" / "left").write_text("over")
    for path in copy.rglob("*"):
        os.utime(path, (1, 1))
    one = purewheel.build(ROOT / "layers", builders, tmp_path / "one")
    other = purewheel.build(copy, builders, tmp_path / "other")
    assert one.name == "fireclay-0.2.0-py3-none-any.whl" and one.read_bytes() == other.read_bytes()
    assert archive.inspect_wheel(one).version == "0.2.0"
    assert not list((ROOT / "layers").glob("*.egg-info"))


def test_a_folder_that_is_no_project_is_said_to_be_none(builders: list[Path], tmp_path: Path) -> None:
    (tmp_path / "none").mkdir()
    (tmp_path / "none" / "setup.cfg").write_text("no section")
    with pytest.raises(CompileError, match="no wheel can be made of"):
        purewheel.build(tmp_path / "none", builders, tmp_path / "out")
