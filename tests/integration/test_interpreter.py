"""An interpreter that is built from its source. The source is a stand-in: it installs the one of the base."""

from __future__ import annotations

import hashlib
import shutil
from pathlib import Path

import pytest

from tests.support import archives
from tests.support.house import House
from tests.support.repository import BASE

RECIPE = "recipes/toy/recipe.yaml"
SOURCE = {
    "configure": archives.File(b"#!/bin/sh\n", executable=True),
    "Makefile": archives.File(
        b"all:\ninstall:\n\tmkdir -p /kiln/python/bin\n"
        b"\tln -s /usr/bin/python3.11 /kiln/python/bin/python3.11\n"
    ),
}


@pytest.fixture
def from_source(house: House, served: tuple[str, Path]) -> House:
    """The repository `toy` on a base that has another Python, with a vault of its own."""
    address, folder = served
    packed = archives.pack(SOURCE, "tar.gz", prefix="Python-3.11/")
    (folder / "Python-3.11.tar.gz").write_bytes(packed)
    sha256 = hashlib.sha256(packed).hexdigest()
    source = f"  - {{name: cpython, origins: [{{url: '{address}/Python-3.11.tar.gz', sha256: {sha256}}}]}}\n"
    house.replace(RECIPE, "sources:\n", f"sources:\n{source}")
    house.replace(BASE, 'python: "3.11"', 'python: "3.12"')
    (house.home / "sources").unlink()
    return house


def test_a_wheel_that_is_tested_again_gets_the_interpreter_that_is_lost_and_no_source_of_the_build(
    from_source: House,
) -> None:
    house = from_source
    done = house.run("build", "toy", "--answer", "41")
    assert done.returncode == 6, done.stderr
    (log,) = (house.home / "builds").glob("*/build.log")
    assert "== compile: cpython" in log.read_text()

    shutil.rmtree(house.home / "interpreters")
    text = (house.root / RECIPE).read_text()
    sha256 = text[: text.index("member: toy-1.0")].rpartition("sha256: ")[2][:64]
    (house.home / "sources/sha256" / sha256[:2] / sha256).unlink()
    house.replace("smoke/toy/test_toy.py", "== 42", "== 41")
    again = house.run("build", "toy", "--answer", "41", "--offline")
    assert again.returncode == 0, again.stderr
    assert "tested again, not built again" in again.stderr
    assert list((house.home / "interpreters").iterdir())
