"""What a toolchain adds for builds with some options has images of its own."""

from __future__ import annotations

from pathlib import Path

import pytest

from kiln.core.errors import UsageError
from kiln.lock import base as locking
from kiln.plan import Plan, planner
from kiln.plan.planner import Request
from kiln.recipe import Catalogue
from kiln.recipe.bases import BaseLock, image_name, wanted_images
from kiln.recipe.toolchains import toolchain_packages
from tests.support import bases, repository

LOCK = "recipes/bases/bookworm/lock.yaml"
PACKAGES = """\
packages: [g++]
compilers: {gcc-11: [g++-11]}
additions:
  shown:
    when: [{fast: false}, {parts: [some, few]}]
    packages: [toolkit-dev]
    runtime: [screen]
"""
IMAGES = ("runtime", "opencv", "opencv+gxx-11", "opencv+shown", "opencv+gxx-11+shown", "runtime+opencv-shown")
LOCKED = (
    *bases.LOCKED[:3],
    bases.package("g++-11", "opencv+gxx-11"),
    bases.package("toolkit-dev", "opencv+shown"),
    bases.package("screen", "runtime+opencv-shown"),
)


def lock_text(*packages: bases.Package) -> str:
    roots = {name: (name.encode().hex() * 64)[:64] for name in IMAGES}
    return locking.render("bookworm", BaseLock((bases.SUITE,), (), packages), roots)


def plan(folder: Path, **options: object) -> Plan:
    if not (folder / "recipes").exists():
        files = {"docker/opencv/packages.yaml": PACKAGES, LOCK: lock_text(*LOCKED)}
        repository.make(folder, **files)
    return planner.make(Catalogue(folder), Request("toy", options=options))  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("options", "added"), [({}, False), ({"fast": False}, True), ({"parts": "few"}, True)]
)
def test_a_build_has_what_its_options_add_where_it_is_compiled_and_where_it_is_tested(
    tmp_path: Path, options: dict[str, object], added: bool
) -> None:
    made = plan(tmp_path, **options).toolchain
    assert [image.name for image in made.images] == (
        ["runtime+opencv-shown", "opencv+shown"] if added else ["runtime", "opencv"]
    )
    assert {each.name for each in made.runtime.packages} == {"apt", "python3"} | (
        {"screen"} if added else set()
    )
    assert ("toolkit-dev" in {each.name for each in made.image.packages}) == added
    assert "screen" not in {each.name for each in made.image.packages}


def test_a_key_without_an_addition_does_not_change_with_it(tmp_path: Path) -> None:
    before = plan(tmp_path / "with")
    repository.make(tmp_path / "without")
    assert before.key == planner.make(Catalogue(tmp_path / "without"), Request("toy")).key


def test_a_list_of_an_addition_without_its_lock_is_named(tmp_path: Path) -> None:
    plan(tmp_path)
    (tmp_path / LOCK).write_text(lock_text(*LOCKED[:-1]))
    plan(tmp_path)
    with pytest.raises(UsageError, match=r"does not have screen.*lock --base bookworm"):
        plan(tmp_path, fast=False)


def test_every_image_of_a_toolchain_with_additions_is_locked_and_what_they_share_stands_once(
    tmp_path: Path,
) -> None:
    plan(tmp_path)
    lists = toolchain_packages(tmp_path, "opencv")
    wanted = wanted_images(Catalogue(tmp_path).base("bookworm"), {"opencv": lists})
    assert set(wanted) == {"base", *IMAGES}
    assert wanted[image_name("opencv", ("g++-11",), ("shown",))] == (
        "apt", "python3", "g++", "g++-11", "toolkit-dev",
    )  # fmt: skip
    found = {
        each.name: locking.Found(each.name, each.version, "amd64", each.pool, 1000, each.sha256, "bookworm")
        for each in LOCKED
    }
    resolved = locking.Resolved(
        bases.SUITE, {name: tuple(found[each] for each in wishes) for name, wishes in wanted.items()}
    )
    made = locking.combined(resolved, lambda package: package.sha256[:40])
    assert {each.name: each.images for each in made.packages} == {each.name: each.images for each in LOCKED}


@pytest.mark.parametrize("name", ["a+b", "A", ""])
def test_an_additions_name_is_part_of_an_images_name(tmp_path: Path, name: str) -> None:
    files = {"docker/opencv/packages.yaml": PACKAGES.replace("  shown:", f'  "{name}":')}
    with pytest.raises(UsageError, match=r"packages\.yaml:\d+: additions"):
        planner.make(Catalogue(repository.make(tmp_path, **files)), Request("toy"))
