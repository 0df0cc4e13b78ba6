from __future__ import annotations

import os
from pathlib import Path

import pytest

from kiln.core import Home, UsageError, give
from tests.support.loopback import Notes


def test_no_other_user_gets_into_the_folders_in_which_containers_write(tmp_path: Path) -> None:
    (tmp_path / "ccache").mkdir(mode=0o777)
    home = Home.of({"KILN_HOME": str(tmp_path)})
    for folder in (home.ccache, home.builds, home.interpreters, home.venvs, home.work, home.verify):
        assert folder.stat().st_mode & 0o777 == 0o700, folder
    other = Home.of({"KILN_HOME": str(tmp_path / "other")}, closed=False)
    assert other.ccache.stat().st_mode & 0o005


def test_what_a_killed_run_left_goes_with_the_next_one_that_is_alone(tmp_path: Path) -> None:
    home = Home.of({"KILN_HOME": str(tmp_path)})
    left = home.work / "tmpabc"
    left.mkdir()
    (left / "base.tar").touch()
    (home.work / "link").symlink_to(tmp_path)
    with home.in_use(Notes()):
        home.tidy()
        assert left.exists()
    home.tidy()
    assert list(home.work.iterdir()) == []
    assert home.sources.is_dir()


@pytest.mark.skipif(os.getuid() != 0, reason="only root gives files away")
def test_what_a_link_in_a_cache_leads_to_is_not_given_away(tmp_path: Path) -> None:
    mine = tmp_path / "mine"
    mine.mkdir()
    (mine / "file").touch()
    cache = tmp_path / "cache"
    cache.mkdir()
    (cache / "object").touch()
    (cache / "link").symlink_to(mine)
    (cache / "file").symlink_to(mine / "file")
    give(cache, 1000, all_inside=True)
    assert [path.stat().st_uid for path in (cache, cache / "object", mine, mine / "file")] == [
        1000,
        1000,
        0,
        0,
    ]


def test_a_home_that_cannot_be_made_is_said_so(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(UsageError, match="cannot be used as Kiln's home"):
        Home.of({"KILN_HOME": str(tmp_path / "file")})


def test_a_lock_that_is_held_is_waited_for_as_long_as_there_is_time(tmp_path: Path) -> None:
    home, notes = Home.of({"KILN_HOME": str(tmp_path)}), Notes()
    left = iter([1.0, 0.0])
    with (
        home.lock("compile", notes),
        pytest.raises(TimeoutError),
        home.lock("compile", notes, "another compiles", lambda: next(left) / 1000),
    ):
        raise AssertionError
    assert notes.notes == ["another compiles"]
    with home.lock("compile", notes, "another compiles", lambda: 1.0):
        pass
    assert notes.notes == ["another compiles"]
