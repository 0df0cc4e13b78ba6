"""The lock of a base, from what apt says to the file, and what a person does to it."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from kiln.core.errors import SourceError, UsageError
from kiln.lock import base as locking
from kiln.lock.base import Found, Resolved
from kiln.plan import planner
from kiln.plan.planner import Request
from kiln.recipe import Catalogue
from kiln.recipe import bases as recipe_bases
from tests.support import bases, repository
from tests.support.repository import ROOT

LOCK = "recipes/bases/bookworm/lock.yaml"


def found(name: str, version: str = "1.0", suite: str = "bookworm") -> Found:
    locked = bases.package(name, "base", version=version)
    return Found(name, version, "amd64", locked.pool, 1000, locked.sha256, suite)


def resolved(**images: list[Found]) -> Resolved:
    return Resolved(bases.SUITE, {name.replace("_", "+"): tuple(each) for name, each in images.items()})


def sha1(package: Found) -> str:
    return package.sha256[:40]


def test_what_images_share_stands_once_under_the_least_of_them() -> None:
    apt, python, make, gpp, older = map(found, ("apt", "python3", "make", "g++", "g++-9"))
    made = locking.combined(
        resolved(
            base=[apt], runtime=[apt, python], opencv=[apt, python, make, gpp],
            flow=[apt, python, make], **{"opencv_gxx-9": [apt, python, make, gpp, older]},
        ),
        sha1,
    )  # fmt: skip
    assert {each.name: each.images for each in made.packages} == {
        "apt": ("base",), "python3": ("runtime",), "make": ("flow", "opencv"), "g++": ("opencv",),
        "g++-9": ("opencv+gxx-9",),
    }  # fmt: skip
    has = {
        name: {each.name for each in made.packages if made.contains(each, name)}
        for name in ("base", "runtime", "flow")
    }
    assert has == {"base": {"apt"}, "runtime": {"apt", "python3"}, "flow": {"apt", "python3", "make"}}


def test_a_toolchain_that_would_lose_a_package_for_a_further_one_is_refused() -> None:
    apt, make, other = map(found, ("apt", "make", "other-make"))
    with pytest.raises(SourceError, match=r"opencv\+gxx-9 .*make"):
        locking.combined(
            resolved(base=[apt], runtime=[apt], opencv=[apt, make], **{"opencv_gxx-9": [apt, other]}), sha1
        )


def test_apts_lines_become_packages_with_their_suite(tmp_path: Path) -> None:
    base = recipe_bases.base(repository.make(tmp_path / "root"), "bookworm")
    wanted = {"base": ("apt",), "opencv+gxx-9": ("g++-9",)}
    folder = tmp_path / "resolve"
    folder.mkdir()
    locking.ask(folder, base, wanted, "http://m.example/debian")
    assert (
        folder / "sources.list"
    ).read_text() == "deb [arch=amd64] http://m.example/debian bookworm main\n", (
        "the release pocket alone: what it has stays where it is"
    )
    for each in ("lists", "found"):
        (folder / each).mkdir()
    release = folder / "lists/m.example_debian_dists_bookworm_InRelease"
    release.write_text("Suite: x\nDate: Sat, 11 Jul 2026 10:16:37 UTC\n")
    line = "'http://m.example/debian/pool/main/x/x/x_1%2b2_amd64.deb' x_3%3a1+2_amd64.deb 12 SHA256:"
    (folder / "found/base").write_text(f"Reading package lists...\n{line}{'a' * 64}\n")
    (folder / "found/opencv+gxx-9").write_text(f"{line}{'b' * 64}\n")
    answer = locking.answer(folder, base, wanted)
    assert (answer.suite.name, answer.suite.date) == ("bookworm", "2026-07-11T10:16:37Z")
    assert answer.images["base"] == (
        Found("x", "3:1+2", "amd64", "pool/main/x/x/x_1+2_amd64.deb", 12, "a" * 64, "bookworm"),
    )
    assert answer.images["opencv+gxx-9"][0].sha256 == "b" * 64
    (folder / "found/base").write_text("'http://m.example/x.deb' x 12 MD5Sum:aa\n")
    with pytest.raises(SourceError, match="does not say"):
        locking.answer(folder, base, wanted)


def test_a_lock_is_read_as_it_was_written_and_its_packages_are_sources(tmp_path: Path) -> None:
    root = repository.make(tmp_path)
    lock = recipe_bases.base_lock(root, "bookworm")
    assert lock.packages == bases.LOCKED
    source = lock.source(lock.packages[0])
    (origin,) = source.origins
    assert (source.name, source.digest) == ("apt", lock.packages[0].sha256)
    assert (origin.debian, origin.sha1, origin.snapshot) == (
        "pool/main/a/apt/apt_1.0_amd64.deb", lock.packages[0].sha1, "20260713T101637Z",
    )  # fmt: skip
    assert lock.image("bookworm", "nothing") is None


@pytest.mark.parametrize(
    ("old", "new"), [('"version": "1.0"', '"version": "1.1"'), ('"size": 1000', '"size": 1001')]
)
def test_a_lock_that_was_edited_by_hand_is_refused(tmp_path: Path, old: str, new: str) -> None:
    root = repository.make(tmp_path)
    text = (root / LOCK).read_text()
    assert old in text
    (root / LOCK).write_text(text.replace(old, new, 1))
    with pytest.raises(UsageError, match=r"lock\.yaml: this lock is not what was generated.*--base"):
        planner.make(Catalogue(root), Request("toy"))


def test_a_list_that_was_changed_without_its_lock_is_named(tmp_path: Path) -> None:
    root = repository.make(tmp_path, **{"docker/opencv/packages.yaml": "packages: [g++, ninja-build]\n"})
    with pytest.raises(UsageError, match=r"does not have ninja-build.*lock --base bookworm"):
        planner.make(Catalogue(root), Request("toy"))


def test_a_base_without_a_lock_says_how_one_is_made(tmp_path: Path) -> None:
    root = repository.make(tmp_path)
    (root / LOCK).unlink()
    with pytest.raises(UsageError, match="lock --base bookworm"):
        planner.make(Catalogue(root), Request("toy"))


def test_which_packages_moved_is_told() -> None:
    lock = recipe_bases.BaseLock((bases.SUITE,), (), bases.LOCKED)
    _, python, *rest = bases.LOCKED
    newer = [
        bases.package("apt", "base", version="2.0"),
        replace(python, sha256="e" * 64),
        bases.package("make", "opencv"),
        *rest[1:],
    ]
    after = replace(lock, packages=tuple(newer))
    assert locking.moved(lock, after) == [
        "  apt 1.0 -> 2.0",
        "- g++ 1.0",
        "+ make 1.0",
        "! python3 1.0 is another file under the same version",
    ]
    assert locking.moved(lock, lock) == []
    assert len(locking.moved(None, lock)) == len(bases.LOCKED)


def test_what_scripts_leave_is_read_as_it_was_written(tmp_path: Path) -> None:
    images = {
        "runtime": {"etc/passwd": "file 0644 0:0 aa"},
        "opencv": {"etc/passwd": "file 0644 0:0 aa", "etc/x": "nothing"},
    }
    root = repository.make(
        tmp_path, **{"recipes/bases/bookworm/made.txt": recipe_bases.made_text("bookworm", images)}
    )
    assert recipe_bases.made(root, "bookworm") == images


def test_release_pockets_are_all_that_this_repository_is_locked_from() -> None:
    lock = recipe_bases.base_lock(ROOT, "bookworm")
    assert [suite.name for suite in lock.suites] == ["bookworm"]
    runtime = lock.image("bookworm", "runtime")
    assert runtime is not None and {package.suite for package in lock.packages} == {"bookworm"}


REFERENCE = f"registry.example/debian@sha256:{'7' * 64}"
START = recipe_bases.RegistryImage(REFERENCE, "8" * 64)
STATUS = """\
Package: libc6
Status: install ok installed
Architecture: amd64
Version: 2.36-9
Description: the C library
 Package: is no field here

Package: gone
Status: deinstall ok config-files
Architecture: amd64
Version: 1

Package: g++
Status: hold ok installed
Version: 0.9
Architecture: amd64
"""


def started(root: Path, image: str = REFERENCE) -> Path:
    """A repository whose base starts from a registry image that has an older g++."""
    there = locking.installed(STATUS)
    lock = recipe_bases.BaseLock((bases.SUITE,), (), bases.LOCKED, "", START, there)
    text = locking.render("bookworm", lock, dict.fromkeys(bases.IMAGES, "a" * 64))
    return repository.make(
        root, **{"recipes/bases/bookworm/base.yaml": f"{bases.BASE}image: {image}\n", LOCK: text}
    )


def test_the_packages_of_an_image_are_what_dpkg_says_is_installed() -> None:
    found = [(each.name, each.version, each.arch) for each in locking.installed(STATUS)]
    assert found == [("g++", "0.9", "amd64"), ("libc6", "2.36-9", "amd64")]


def test_a_registry_images_packages_are_in_plan_key_and_toolchain_without_those_that_are_replaced(
    tmp_path: Path,
) -> None:
    plain = planner.make(Catalogue(repository.make(tmp_path / "plain")), Request("toy"))
    made = planner.make(Catalogue(started(tmp_path / "started")), Request("toy"))
    assert made.key != plain.key
    runtime, toolchain = made.toolchain.images
    assert [each.name for each in runtime.installed] == ["g++", "libc6"]
    assert [each.name for each in toolchain.installed] == ["libc6"]
    row = next(each for each in made.toolchain.rows()[1]["packages"] if each["name"] == "libc6")
    assert (row["version"], row["architecture"], row["sha256"]) == ("2.36-9", "amd64", None)
    assert row["origin"] == f"registry: {REFERENCE}"
    assert made.toolchain.rows()[0]["registry"] == {"image": REFERENCE, "sha256": "8" * 64}


def test_a_lock_of_another_image_than_the_bases_is_refused(tmp_path: Path) -> None:
    other = REFERENCE.replace("7", "6")
    with pytest.raises(UsageError, match=f"the lock starts from {REFERENCE}, and the base from {other}"):
        planner.make(Catalogue(started(tmp_path, other)), Request("toy"))


def test_an_image_that_is_named_by_a_tag_is_refused(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="image"):
        planner.make(Catalogue(started(tmp_path, "registry.example/debian:bookworm")), Request("toy"))


def test_a_lock_that_starts_from_an_image_cannot_be_edited(tmp_path: Path) -> None:
    root = started(tmp_path)
    text = (root / LOCK).read_text()
    assert "2.36-9" in text
    (root / LOCK).write_text(text.replace("2.36-9", "2.36-8"))
    with pytest.raises(UsageError, match="not what was generated"):
        planner.make(Catalogue(root), Request("toy"))


def test_what_moved_in_the_image_is_told() -> None:
    there = locking.installed(STATUS)
    before = recipe_bases.BaseLock((bases.SUITE,), (), bases.LOCKED)
    after = replace(before, registry=START, installed=there)
    assert locking.moved(before, after) == [
        f"  image none -> {REFERENCE}",
        "  g++ of the image: none -> 0.9",
        "  libc6 of the image: none -> 2.36-9",
    ]
    assert locking.moved(after, after) == []
