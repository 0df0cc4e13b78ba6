"""Folders of the repository as sources: what is read of them, and what a recipe may say of them."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from kiln.archive import tree_digest, unpack
from kiln.core.errors import UsageError
from kiln.core.hashing import sha256_of
from kiln.plan import planner
from kiln.plan.planner import Request
from kiln.recipe import Catalogue, Source
from kiln.recipe.folders import pack_folder
from kiln.recipe.source import FolderOrigin
from tests.support import repository
from tests.support.repository import ROOT

ORIGIN = "{folder: library, only: [setup.cfg, code]}"
ORIGINS = (
    '      - url: https://toy.example/toy-1.0.tar.gz\n        sha256: "' + "a" * 64 + '"\n        size: 3\n'
)
RECIPE = repository.RECIPE.replace(ORIGINS, f"      - {ORIGIN}\n")
FILES = {
    "library/setup.cfg": "[metadata]\nname = toy\n",
    "library/code/one.py": "one = 1\n",
    "library/code/deep/two.py": "two = 2\n",
    "library/tests/test_one.py": "def test_one(): pass\n",
}


def house(folder: Path, recipe: str = RECIPE, **files: str) -> Path:
    return repository.make(folder, recipe, **{**FILES, **files})


def source(root: Path) -> Source:
    return Catalogue(root).load("toy").sources[0]


def key(root: Path) -> str:
    return planner.make(Catalogue(root), Request("toy")).key


def refusal(root: Path) -> str:
    with pytest.raises(UsageError) as caught:
        source(root)
    return str(caught.value)


def test_a_folder_is_pinned_by_what_the_checkout_has(tmp_path: Path) -> None:
    root = house(tmp_path / "root")
    found = source(root)
    (origin,) = found.origins
    assert isinstance(origin, FolderOrigin)
    work = tmp_path / "work"
    work.mkdir()
    packed = pack_folder(root, origin, work)
    assert (origin.sha256, origin.size) == (sha256_of(packed), packed.stat().st_size)
    unpack(packed, tmp_path / "tree")
    assert found.tree == found.digest == tree_digest(tmp_path / "tree")
    there = {path.relative_to(tmp_path / "tree").as_posix() for path in (tmp_path / "tree").rglob("*.*")}
    assert there == {"setup.cfg", "code/one.py", "code/deep/two.py"}
    assert not found.is_file


def test_without_only_it_is_the_whole_folder(tmp_path: Path) -> None:
    root = house(tmp_path, RECIPE.replace(ORIGIN, "{folder: library}"))
    before = key(root)
    (root / "library/tests/test_one.py").write_text("other\n")
    assert key(root) != before


@pytest.mark.parametrize("path", ["library/setup.cfg", "library/code/deep/two.py", "library/code/new.py"])
def test_what_is_read_of_it_is_in_the_key(tmp_path: Path, path: str) -> None:
    root = house(tmp_path)
    before = key(root)
    (root / path).write_text("other\n")
    assert key(root) != before


@pytest.mark.parametrize(
    "path",
    [
        "library/tests/test_one.py",
        "library/code/__pycache__/one.pyc",
        "library/code/.one.py.swp",
        "library/code/one.py~",
    ],
)
def test_what_is_not_read_of_it_is_in_no_key(tmp_path: Path, path: str) -> None:
    root = house(tmp_path)
    before = key(root)
    (root / path).parent.mkdir(exist_ok=True)
    (root / path).write_text("other\n")
    os.utime(root / "library/setup.cfg", (1, 1))
    (root / "library/code/one.py").chmod(0o600)
    assert key(root) == before


@pytest.mark.parametrize(
    ("old", "new", "place"),
    [
        ("code]}", f"code], sha256: {'a' * 64}}}", "origins[0].sha256: a folder's digests are taken from this"),
        ("code]}", "code], size: 3}", "origins[0].size: a folder's digests are taken from this checkout"),
        ("code]}", "code], member: code}", "origins[0].member: a folder's digests are taken from this checkout"),
        ("  - name: toy\n", f"  - name: toy\n    tree: {'a' * 64}\n", "tree: a folder's digests are taken"),
        ("  - name: toy\n", f"  - name: toy\n    sha256: {'a' * 64}\n", "sha256: a folder's digests are taken"),
        ("  - name: toy\n", "  - name: toy\n    without: [code]\n", "without: a folder's digests are taken"),
        ("  - name: toy\n", "  - name: toy\n    use: build\n", "use: a folder is not a Python package"),
        (f"{ORIGIN}\n", f"{ORIGIN}\n      - {{folder: docker}}\n", "origins: a folder of this repository is"),
        ("folder: library", "folder: ../library", "a relative path that stays inside its folder is needed"),
        ("folder: library", "folder: /etc", "a relative path that stays inside its folder is needed"),
        ("[setup.cfg, code]", "[../docker]", "a relative path that stays inside its folder is needed"),
    ],
)  # fmt: skip
def test_what_a_recipe_must_not_say_of_a_folder_is_named_with_its_line(
    tmp_path: Path, old: str, new: str, place: str
) -> None:
    assert old in RECIPE
    found = refusal(house(tmp_path, RECIPE.replace(old, new, 1)))
    assert "recipes/toy/recipe.yaml:" in found
    assert place in found


@pytest.mark.parametrize("at", ["library/code/link.py", "library/code", "library", "library/code/deep"])
def test_links_are_refused_wherever_they_stand(tmp_path: Path, at: str) -> None:
    root = house(tmp_path / "root")
    elsewhere = tmp_path / "elsewhere"
    if (root / at).exists():
        (root / at).rename(elsewhere)
    else:
        elsewhere.write_text("secret\n")
    (root / at).symlink_to(elsewhere)
    found = refusal(root)
    assert str(root / at) in found
    assert "is a link" in found


def test_a_part_that_is_not_there_is_named(tmp_path: Path) -> None:
    root = house(tmp_path)
    (root / "library/setup.cfg").unlink()
    assert f"{root}/library/setup.cfg is not there: restore it" in refusal(root)


def test_the_layer_library_has_one_version() -> None:
    text = (ROOT / "layers/setup.cfg").read_text(encoding="utf-8")
    release = Catalogue(ROOT).default("fireclay")
    assert f"\nversion = {release}\n" in text
    assert f'\n__version__ = "{release}"\n' in (ROOT / "layers/fireclay/__init__.py").read_text(
        encoding="utf-8"
    )
