from __future__ import annotations

import os
from pathlib import Path

import pytest

from kiln.build import cache
from kiln.core import UsageError


def put(folder: Path, name: str, size: int, used: int) -> Path:
    path = folder / "bazel" / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(b"x" * size)
    os.utime(path, (used, used))
    return path


def test_what_was_unused_for_longest_goes_until_the_rest_fits(tmp_path: Path) -> None:
    old, older, new = (
        put(tmp_path, "gcc/cas/a", 40, 2000), put(tmp_path, "gcc/ac/b", 40, 1000), put(tmp_path, "other/c", 40, 3000),
    )  # fmt: skip
    kept = tmp_path / "a" / "object"  # ccache's, which it removes itself
    kept.parent.mkdir()
    kept.write_bytes(b"x" * 500)
    assert [file.path for file in cache.excess(tmp_path, 120)] == []
    assert [file.path for file in cache.excess(tmp_path, 119)] == [older]
    assert cache.prune(tmp_path, 79) == 80
    assert (older.exists(), old.exists(), new.exists(), kept.exists()) == (False, False, True, True)


def test_a_file_that_was_read_is_in_use(tmp_path: Path) -> None:
    read, other = put(tmp_path, "read", 10, 1000), put(tmp_path, "other", 10, 2000)
    os.utime(read, (3000, 1000))
    assert [file.path for file in cache.excess(tmp_path, 10)] == [other]


def test_without_a_cache_there_is_nothing_to_remove(tmp_path: Path) -> None:
    assert cache.prune(tmp_path, 1) == 0


@pytest.mark.parametrize(
    ("text", "size"), [("", 20 * 10**9), ("500M", 500 * 10**6), ("1TB", 10**12), ("7", 7), ("3KB", 3000)]
)
def test_the_size_is_given_in_the_usual_units(text: str, size: int) -> None:
    assert cache.limit({"KILN_CACHE_SIZE": text}) == size


@pytest.mark.parametrize("text", ["much", "-1G", "1.5G", "0", "0G", "5 G", "²G", "9" * 40])
def test_what_is_not_a_size_is_refused(text: str) -> None:
    with pytest.raises(UsageError, match="KILN_CACHE_SIZE is"):
        cache.limit({"KILN_CACHE_SIZE": text})


def test_ccache_is_given_the_same_limit_and_asked_once(tmp_path: Path) -> None:
    cache.configure(tmp_path, 3 * 10**9)
    written = tmp_path / "ccache.conf"
    assert written.read_text() == "max_size = 3000M\n"
    before = written.stat().st_ino
    cache.configure(tmp_path, 3 * 10**9)
    assert written.stat().st_ino == before
    cache.configure(tmp_path, 1)
    assert written.read_text() == "max_size = 1M\n"
