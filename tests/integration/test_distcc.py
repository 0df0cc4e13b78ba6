"""A file of the toy compiled by distcc in a container of the same toolchain, which another process of Kiln's has."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest

from tests.support import farm
from tests.support import house as houses
from tests.support.farm import needs_programs
from tests.support.house import Finished, House


@pytest.fixture
def other(tmp_path: Path, vault: Path, served: tuple[str, Path]) -> House:
    """Another machine: the same checkout, and a home of its own."""
    return houses.make(tmp_path / "other", vault, served)


@needs_programs
def test_a_file_is_compiled_on_another_machine_and_the_wheel_is_the_one_that_is_built_alone(
    finished: Finished, house: House, other: House
) -> None:
    with farm.helper(other, "toy") as address:
        done = house.run("build", "toy", "--distcc", f"{address}/2", "--programs", farm.PROGRAMS)
    assert done.returncode == 0, done.stderr
    assert house.wheel().read_bytes() == finished.house.wheel().read_bytes()
    folder = house.wheel().parent
    used = json.loads((folder / "measured.json").read_text())["distcc"]
    assert used == {"url": address, "counts": {"sent": 1, "failed": 0}}
    assert f"distcc {address}: 1 files were sent there" in done.stderr
    assert f'"distcc":"{address}"' in (folder / "provenance.intoto.jsonl").read_text()
    said = house.run("check", str(house.wheel()))
    assert "compiled with the help of other machines" in " ".join(said.stdout.split()), said.stdout
    # What others have compiled is kept where other builds do not look.
    assert not house.cache().exists()

    # The machine is gone: the file is compiled here.
    for folder in ("results", "ccache"):
        shutil.rmtree(house.home / folder)
    again = house.run("build", "toy", "--distcc", f"{address}/2", "--programs", farm.PROGRAMS)
    assert again.returncode == 0, again.stderr
    assert again.stderr.count(f"distcc's machine {address} does not answer") == 1
    assert house.wheel().read_bytes() == finished.house.wheel().read_bytes()
