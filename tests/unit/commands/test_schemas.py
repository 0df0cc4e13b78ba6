from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import jsonschema
import pytest
import yaml

from kiln.commands import schemas
from kiln.core import Console
from kiln.core.errors import DifferenceError
from kiln.plan import Request, make
from kiln.recipe import Catalogue
from tests.support import repository
from tests.support.repository import ROOT

KINDS = {kind.name: kind for kind in schemas.kinds()}
FILES = schemas.files(ROOT)


def checked(name: str) -> jsonschema.Draft202012Validator:
    """The schema of a kind as it lies in the repository."""
    return jsonschema.Draft202012Validator(json.loads((ROOT / "schemas" / f"{name}.json").read_text("utf-8")))


def content(path: Path) -> Any:
    return yaml.safe_load(path.read_text(encoding="utf-8"))


def test_the_schemas_are_those_of_the_dataclasses() -> None:
    schemas.run(ROOT, check=True, console=Console())


@pytest.mark.parametrize("path", FILES, ids=lambda path: str(path.relative_to(ROOT)))
def test_a_file_fits_its_schema_and_names_it(path: Path) -> None:
    kind = FILES[path]
    assert [error.message for error in checked(kind.name).iter_errors(content(path))] == []
    if kind.generated:
        return
    first = path.read_text(encoding="utf-8").splitlines()[0]
    assert first == schemas.reference(path, kind, ROOT)
    assert (path.parent / first.partition("=")[2]).resolve() == ROOT / "schemas" / f"{kind.name}.json"


def test_every_yaml_file_that_kiln_reads_has_a_kind_and_every_kind_a_file() -> None:
    folders = ("recipes", "patches", "docker", "requirements", "layers")
    there = {path for folder in folders for path in (ROOT / folder).rglob("*.yaml")} | {
        ROOT / "ci/matrix.yaml",
        ROOT / "ci/farm/config.yaml",
    }
    assert there == set(FILES)
    assert {kind.name for kind in FILES.values()} == set(KINDS)


@pytest.mark.parametrize(
    ("name", "path", "old", "new"),
    [
        ("recipe", "recipes/opencv/recipe.yaml", "toolchain:", "toolchian:"),
        ("recipe", "recipes/opencv/recipe.yaml", "type: bool", "type: number"),
        ("recipe", "recipes/opencv/recipe.yaml", "python: [", "pythons: ["),
        ("recipe", "recipes/opencv/recipe.yaml", 'tree: "{tree}"', "tree: short"),
        ("recipe", "recipes/opencv/recipe.yaml", "releases:", "release:"),
        ("sources", "recipes/shared/numpy.yaml", "sha256: ", "sha256: x"),
        ("verified", "recipes/opencv/verified.yaml", "state: tested", "state: great"),
        ("toolkit", "recipes/cuda/11.8/toolkit.yaml", "newest_gcc: 11", "newest_gcc: eleven"),
        ("series", "patches/opencv/series.yaml", "why: ", "because: "),
    ],
)
def test_what_the_reader_refuses_the_schema_refuses(name: str, path: str, old: str, new: str) -> None:
    text = (ROOT / path).read_text(encoding="utf-8")
    assert old in text
    assert list(checked(name).iter_errors(yaml.safe_load(text.replace(old, new, 1))))


def test_a_condition_is_one_value_or_several_on_anything_that_is_listed() -> None:
    file = {"sha256": "a" * 64, "pypi": "toy", "file": "toy.zip"}
    for when in ({"release": "1.0"}, {"python": ["3.7", "3.8"], "fast": True}):
        value = {"sources": [{"name": "toy", "when": when, "origins": [{**file, "when": when}]}]}
        assert not list(checked("sources").iter_errors(value))
    wrong = {"sources": [{"name": "toy", "when": {"fast": {}}, "origins": [file]}]}
    assert list(checked("sources").iter_errors(wrong))


def test_a_schema_that_is_not_of_today_is_found_and_written_again(tmp_path: Path) -> None:
    shutil.copytree(ROOT / "schemas", tmp_path / "schemas")
    (tmp_path / "schemas" / "recipe.json").write_text("{}\n")
    (tmp_path / "schemas" / "gone.json").write_text("{}\n")
    with pytest.raises(DifferenceError, match=r"recipe\.json, gone\.json: run `\./inv schemas`"):
        schemas.run(tmp_path, check=True, console=Console())
    schemas.run(tmp_path, check=False, console=Console())
    schemas.run(tmp_path, check=True, console=Console())
    assert not (tmp_path / "schemas" / "gone.json").exists()


def test_the_comment_that_names_a_schema_is_in_no_key(tmp_path: Path) -> None:
    files = {"patches/toy/series.yaml": "patches: []\n"}
    root = repository.make(tmp_path, **files)
    before = make(Catalogue(root), Request("toy"))
    for path in (
        "recipes/toy/recipe.yaml",
        "docker/opencv/packages.yaml",
        "patches/toy/series.yaml",
        repository.BASE,
    ):
        file = root / path
        file.write_text(f"{schemas.COMMENT}x.json\n{file.read_text('utf-8')}", encoding="utf-8")
    after = make(Catalogue(root), Request("toy"))
    assert (after.key, after.smoke_key) == (before.key, before.smoke_key)
