"""Recipes that `./inv new-recipe` writes: each is read without a mistake, and says what is left to fill in."""

from __future__ import annotations

import io
import shutil
import tarfile
from pathlib import Path

import pytest
import rich.console

from kiln import plan
from kiln.commands import new_recipe
from kiln.core import Console, UsageError, sha256_of
from kiln.recipe import Catalogue
from tests.support.repository import ROOT

ABOUT = "Metadata-Version: 2.1\nName: Toy\nVersion: 2.5\nSummary: a {toy}\nLicense: MIT\n"


@pytest.fixture
def root(tmp_path: Path) -> Path:
    for name in (
        "docker/base",
        "docker/common",
        "docker/glibc",
        "recipes/bases",
        "recipes/shared",
        "smoke/common",
    ):
        shutil.copytree(ROOT / name, tmp_path / name)
    for name in ("opencv", "tensorflow"):
        (tmp_path / "docker" / name).mkdir()
        shutil.copy(ROOT / f"docker/{name}/packages.yaml", tmp_path / f"docker/{name}/packages.yaml")
    return tmp_path


def written(root: Path, kind: str, archive: Path | None = None) -> str:
    output = io.StringIO()
    new_recipe.run(root, "toy", kind, archive, Console(rich.console.Console(file=output, width=300)))
    return output.getvalue()


@pytest.mark.parametrize("kind", new_recipe.KINDS)
def test_a_new_recipe_is_read_and_planned_and_what_to_fill_in_is_said_with_its_place(
    root: Path, kind: str
) -> None:
    said = written(root, kind)
    planned = plan.make(Catalogue(root), plan.Request("toy"))
    assert planned.toolchain.name == "toy" and planned.toolchain.image.name == new_recipe.KINDS[kind].image
    for line in (each for each in said.splitlines() if each.startswith("• ")):
        place, _, what = line[2:].partition(": ")
        file, _, number = place.rpartition(":")
        assert what in Path(file).read_text().splitlines()[int(number) - 1]
    assert "the sha256 of the archive" in said and "docker/toy/build.sh" in said


def test_what_an_archive_says_of_itself_is_filled_in(root: Path, tmp_path: Path) -> None:
    archive = tmp_path / "Toy-2.5.tar.gz"
    with tarfile.open(archive, "w:gz") as packed:
        about = tarfile.TarInfo("Toy-2.5/PKG-INFO")
        about.size, about.mtime = len(ABOUT), 1600000000
        packed.addfile(about, io.BytesIO(ABOUT.encode()))
    said = written(root, "setup", archive)
    recipe = Catalogue(root).load("toy")
    assert (recipe.version, recipe.summary, recipe.license) == ("2.5", "a (toy)", "MIT")
    assert recipe.source_date_epoch == 1600000000
    (source,) = (each for each in recipe.sources if each.name == "toy")
    (origin,) = source.origins
    assert str(origin) == "pypi: Toy, Toy-2.5.tar.gz" and origin.sha256 == sha256_of(archive)
    assert "sha256" not in said and f"--folder {tmp_path}" in said


def test_what_setuptools_says_of_a_project_that_says_nothing_is_left_to_a_person(
    root: Path, tmp_path: Path
) -> None:
    archive = tmp_path / "Toy-2.5.tar.gz"
    with tarfile.open(archive, "w:gz") as packed:
        text = ABOUT.replace("License: MIT", "License: UNKNOWN").encode()
        about = tarfile.TarInfo("Toy-2.5/PKG-INFO")
        about.size = len(text)
        packed.addfile(about, io.BytesIO(text))
    assert "its SPDX expression" in written(root, "setup", archive)


def test_nothing_that_is_there_is_written_over_and_a_wrong_name_or_archive_is_refused(root: Path) -> None:
    written(root, "setup")
    with pytest.raises(UsageError, match="is there already"):
        written(root, "cmake")
    console = Console(rich.console.Console(file=io.StringIO()))
    for name, kind, archive, why in (
        ("../toy", "setup", None, "is not a name"),
        ("other", "make", None, "there is no kind"),
        ("other", "setup", root / "none.tar.gz", "is not a file"),
    ):
        with pytest.raises(UsageError, match=why):
            new_recipe.run(root, name, kind, archive, console)
    assert not (root / "recipes/other").exists()


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("image: opencv\npackages: [gcc]\n", "no packages of its own"),
        ("image: nothing\n", "is not another toolchain"),
        ("image: toy\n", "is not another toolchain"),
    ],
)
def test_the_image_of_another_toolchain_is_one_that_there_is(root: Path, text: str, why: str) -> None:
    written(root, "setup")
    (root / "docker/toy/packages.yaml").write_text(text)
    with pytest.raises(UsageError, match=why):
        plan.make(Catalogue(root), plan.Request("toy"))
