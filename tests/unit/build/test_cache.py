from __future__ import annotations

import os
from pathlib import Path

import pytest

from kiln.build import cache
from kiln.core import UsageError


def put(folder: Path, name: str, size: int, used: int) -> Path:
    path = folder / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(b"x" * size)
    os.utime(path, (used, used))
    return path


def test_of_all_caches_what_was_unused_for_longest_goes_until_the_rest_fits(tmp_path: Path) -> None:
    old, older, new = (
        put(tmp_path, "one/bazel/cas/a", 40, 2000), put(tmp_path, "one/0/b", 40, 1000), put(tmp_path, "two/c", 40, 3000),
    )  # fmt: skip
    assert [file.path for file in cache.excess(tmp_path, 120)] == []
    assert [file.path for file in cache.excess(tmp_path, 119)] == [older]
    assert cache.prune(tmp_path, 79) == 80
    assert (older.exists(), old.exists(), new.exists()) == (False, False, True)


def test_a_file_that_was_read_is_in_use(tmp_path: Path) -> None:
    read, other = put(tmp_path, "read", 10, 1000), put(tmp_path, "other", 10, 2000)
    os.utime(read, (3000, 1000))
    assert [file.path for file in cache.excess(tmp_path, 10)] == [other]


def test_a_link_that_a_step_has_left_in_a_cache_leads_nowhere(tmp_path: Path) -> None:
    mine = put(tmp_path / "mine", "bazel/thesis", 50, 1000)
    caches = tmp_path / "caches"
    put(caches, "one/object", 50, 2000)
    (caches / "one" / "bazel").symlink_to(mine.parent)
    (caches / "one" / "thesis").symlink_to(mine)
    assert mine not in [file.path.resolve() for file in cache.excess(caches, 1) if not file.path.is_symlink()]
    cache.prune(caches, 1)
    assert mine.exists()
    assert not (caches / "one" / "object").exists()


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
