from __future__ import annotations

import fcntl
import os
from pathlib import Path

import pytest

from kiln.build import trash
from kiln.core import remove


@pytest.fixture
def work(tmp_path: Path) -> Path:
    folder = tmp_path / "work"
    folder.mkdir()
    return folder


def filled(folder: Path) -> Path:
    """A folder with files, a read-only folder and a link to something outside of it."""
    (folder / "deep" / "read-only").mkdir(parents=True)
    (folder / "deep" / "read-only" / "file").write_text("content")
    (folder.parent / "outside").write_text("kept")
    (folder / "link").symlink_to(folder.parent / "outside")
    (folder / "deep" / "read-only").chmod(0o500)
    return folder


def wait_until_deleted(work: Path) -> None:
    """Whatever deletes a folder holds a lock on it until it has ended."""
    for folder in work.glob("*"):
        try:
            handle = os.open(folder, os.O_RDONLY)
        except FileNotFoundError:
            continue
        fcntl.flock(handle, fcntl.LOCK_EX)
        os.close(handle)
    assert list(work.iterdir()) == []


def test_a_folder_is_gone_at_once_and_its_files_soon_after(tmp_path: Path, work: Path) -> None:
    folder = filled(tmp_path / "builds" / "key")
    trash.discard(folder, work)
    assert not folder.exists()
    folder.mkdir()  # the next build of the same key begins
    wait_until_deleted(work)
    assert folder.exists()
    assert (tmp_path / "builds" / "outside").read_text() == "kept"


def test_what_a_killed_process_left_goes_with_the_next_folder(tmp_path: Path, work: Path) -> None:
    filled(work / f"{trash.PREFIX}left" / "key")
    trash.discard(filled(tmp_path / "builds" / "key"), work)
    wait_until_deleted(work)


def test_what_another_process_is_deleting_is_left_to_it(tmp_path: Path, work: Path) -> None:
    busy = filled(work / f"{trash.PREFIX}busy" / "key").parent
    handle = os.open(busy, os.O_RDONLY)
    fcntl.flock(handle, fcntl.LOCK_EX)
    trash.discard(tmp_path / "nothing", work)
    assert (busy / "key" / "link").is_symlink()
    os.close(handle)
    trash.discard(tmp_path / "nothing", work)
    wait_until_deleted(work)


def test_only_trash_is_deleted(tmp_path: Path, work: Path) -> None:
    (work / "smoke-1").mkdir()
    trash.discard(filled(tmp_path / "builds" / "key"), work)
    assert (work / "smoke-1").exists()


def test_a_folder_may_be_removed_by_two_at_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """As `gc` does it with what is still being deleted."""
    folder = filled(tmp_path / "trash")
    unlink = os.unlink

    def after_the_other(path: str, **options: int | None) -> None:
        monkeypatch.setattr(os, "unlink", unlink)
        remove(folder)
        unlink(path, **options)

    monkeypatch.setattr(os, "unlink", after_the_other)
    remove(folder)
    assert not folder.exists()
