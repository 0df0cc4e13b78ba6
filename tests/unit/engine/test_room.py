from __future__ import annotations

from pathlib import Path

from kiln.core import Home
from kiln.engine import room
from kiln.recipe import Needs, Source, UrlOrigin
from tests.support.command import run
from tests.support.house import NO_ENGINE

NEEDS = Needs(memory=5600, jobs=2, job=1100, disk=6700)
GB = 10**9


def test_a_machine_with_too_little_memory_is_given_the_number_of_jobs_that_fits() -> None:
    assert room.memory_shortage(NEEDS, 2, 6 * GB) == []
    (line,) = room.memory_shortage(NEEDS, 4, 6 * GB)
    assert line == (
        "this build used about 7.8 GB of memory with 4 compilers at once, and this machine has 6.0 GB: give --jobs 2"
    )
    (line,) = room.memory_shortage(NEEDS, 1, 4 * GB)
    assert "4.5 GB of memory with one compiler" in line and "more memory" in line
    assert room.memory_shortage(None, 64, GB) == []


def test_a_build_is_bounded_by_what_it_needs_and_by_what_the_machine_can_spare() -> None:
    assert room.bound(NEEDS, 2, 64 * GB) == 2 * 5600 * 10**6
    assert room.bound(NEEDS, 100, 64 * GB) == 63 * GB
    assert room.bound(NEEDS, 2, 4 * GB) == int(3.5 * GB)
    assert room.bound(Needs(memory=1200, jobs=2, job=500, disk=1), 2, 64 * GB) == 8 * GB
    assert room.bound(None, 2, 64 * GB) == 63 * GB


def test_a_disk_is_full_with_what_is_fetched_and_what_is_built(tmp_path: Path) -> None:
    home = Home(tmp_path)
    assert room.disk_shortage(NEEDS, GB, 8 * GB, home) == []
    (line,) = room.disk_shortage(NEEDS, GB, 7 * GB, home)
    assert "about 7.7 GB of disk (1.0 GB of sources and 6.7 GB for the build)" in line
    assert f"{tmp_path} has 7.0 GB" in line
    # What was not measured is not guessed: the sources count all the same.
    (line,) = room.disk_shortage(None, 9 * GB, 7 * GB, home)
    assert "about 9.0 GB of disk (9.0 GB of sources)" in line


def test_what_the_vault_has_takes_no_more_room(tmp_path: Path) -> None:
    home = Home.of({"KILN_HOME": str(tmp_path)})
    vast = Source("vast", (UrlOrigin("https://forge.example/vast", "a" * 64, 10**18),))
    (line,) = room.shortages(None, [vast], home, 1)
    assert "1000000000.0 GB of sources" in line
    there = tmp_path / "sources" / "sha256" / "aa" / ("a" * 64)
    there.parent.mkdir(parents=True)
    there.touch()
    assert room.shortages(None, [vast], home, 1) == []


def test_a_build_says_so_before_it_needs_anything(tmp_path: Path) -> None:
    done = run(tmp_path, "build-opencv", "--jobs", "5000", **NO_ENGINE)
    assert "compilers at once, and this machine has" in done.stderr
    assert done.returncode == 4, done.stderr
