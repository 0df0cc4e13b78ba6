from __future__ import annotations

import fcntl
import os
import socket
from pathlib import Path

import pytest

from kiln.core import SourceError, UsageError, held, is_plain, new, plain
from tests.support.loopback import Notes


@pytest.fixture
def victim(tmp_path: Path) -> Path:
    path = tmp_path / "victim"
    path.write_text("mine")
    return path


@pytest.mark.parametrize("kind", ["link", "pipe", "folder", "socket"])
def test_only_a_plain_file_is_read(tmp_path: Path, victim: Path, kind: str) -> None:
    path = tmp_path / "x"
    with socket.socket(socket.AF_UNIX) as end:
        {
            "link": lambda: path.symlink_to(victim),
            "pipe": lambda: os.mkfifo(path),
            "folder": path.mkdir,
            "socket": lambda: end.bind(str(path)),
        }[kind]()
        assert not is_plain(path)
        with pytest.raises(SourceError, match="is a link, or not a file"), plain(path):
            pass


def test_a_file_is_read_and_one_that_is_not_there_is_said_so(tmp_path: Path, victim: Path) -> None:
    with plain(victim) as stream:
        assert stream.read() == b"mine"
    assert is_plain(victim) and not is_plain(tmp_path / "none")
    with pytest.raises(FileNotFoundError), plain(tmp_path / "none"):
        pass


def test_a_new_file_takes_the_place_of_a_link_and_leaves_what_that_led_to(
    tmp_path: Path, victim: Path
) -> None:
    path = tmp_path / "x"
    path.symlink_to(victim)
    with new(path) as stream:
        stream.write(b"new")
    assert (path.read_bytes(), victim.read_bytes()) == (b"new", b"mine")
    assert not path.is_symlink()


def test_a_lock_is_no_link(tmp_path: Path, victim: Path) -> None:
    path = tmp_path / ".lock"
    path.symlink_to(victim)
    with pytest.raises(UsageError, match="is a link"), held(path, fcntl.LOCK_EX, Notes(), ""):
        pass
    assert victim.read_text() == "mine"
