"""A file that a person gives in place of a source: used, and never mistaken for what the recipe pins."""

from __future__ import annotations

import hashlib
import io
import json
from pathlib import Path

import pytest
import rich.console

from kiln.commands import plan
from kiln.core import named_paths
from kiln.core.console import Console
from kiln.core.errors import UsageError
from kiln.plan import advice, planner
from kiln.plan.planner import Plan, Request
from kiln.recipe import Catalogue
from kiln.recipe.source import Source
from kiln.sources import fetch
from kiln.sources.obtained import Obtained
from kiln.sources.settings import FetchSettings
from kiln.sources.vault import Vault
from tests.support import repository
from tests.support.loopback import Notes

CONTENT = b"near enough"
SHA256 = hashlib.sha256(CONTENT).hexdigest()


@pytest.fixture
def root(tmp_path: Path) -> Path:
    return repository.make(tmp_path / "repository")


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "near.tar.gz"
    path.write_bytes(CONTENT)
    return path


def obtain(source: Source, vault: Vault, settings: FetchSettings) -> Obtained:
    (obtained,) = fetch.obtain([source], vault, settings, Notes())
    return obtained


def substituted(root: Path, file: Path) -> Plan:
    return planner.make(Catalogue(root), Request("toy", substitute={"toy": file}))


def test_the_file_takes_the_place_and_the_name_of_the_source(root: Path, file: Path, tmp_path: Path) -> None:
    (source,) = substituted(root, file).sources
    found = obtain(source, Vault(tmp_path / "vault"), FetchSettings(offline=True))
    assert (found.path.read_bytes(), source.file) == (CONTENT, "toy-1.0.tar.gz")


def test_key_folder_and_environment_say_so(root: Path, file: Path) -> None:
    exact, other = planner.make(Catalogue(root), Request("toy")), substituted(root, file)
    assert exact.key != other.key and exact.folder != other.folder
    assert "+substituted-" in other.folder.name
    assert other.environment["KILN_OTHER_ARCHIVES"] == "toy-1.0.tar.gz"


def test_the_plan_names_the_file_and_what_it_stands_for(root: Path, file: Path) -> None:
    made = substituted(root, file)
    (source,) = json.loads(made.to_json())["sources"]
    assert (source["digest"], source["instead_of"]) == (SHA256, "a" * 64)
    output = io.StringIO()
    plan.show(made, advice(Catalogue(root), made), Console(rich.console.Console(file=output, width=300)))
    assert f"{SHA256}  file toy given by hand, instead of the archive {'a' * 64}" in output.getvalue()


def test_the_key_follows_the_content_and_not_the_place(root: Path, file: Path, tmp_path: Path) -> None:
    moved = tmp_path / "elsewhere.tgz"
    moved.write_bytes(CONTENT)
    changed = tmp_path / "changed.tgz"
    changed.write_bytes(CONTENT + b"!")
    key = substituted(root, file).key
    assert substituted(root, moved).key == key
    assert substituted(root, changed).key != key


def test_no_mirror_is_asked_for_it(root: Path, file: Path, tmp_path: Path) -> None:
    (source,) = substituted(root, file).sources
    settings = FetchSettings(
        mirrors=("http://127.0.0.1:1/{sha256}",), fallbacks=("http://127.0.0.1:1/{filename}",)
    )
    assert obtain(source, Vault(tmp_path / "vault"), settings).path.read_bytes() == CONTENT


@pytest.mark.parametrize(
    ("name", "path", "message"),
    [
        ("tyo", "near.tar.gz", "no source file of that name; it has toy"),
        ("toy", "missing.tar.gz", "missing.tar.gz cannot be read"),
        ("toy", ".", "cannot be read"),
    ],
)
def test_what_cannot_be_substituted_is_told(
    root: Path, file: Path, name: str, path: str, message: str
) -> None:
    with pytest.raises(UsageError, match=message):
        planner.make(Catalogue(root), Request("toy", substitute={name: file.parent / path}))


@pytest.mark.parametrize("text", ["toy", "toy=", "=file", "toy=a,b"])
def test_a_value_of_another_form_is_refused(text: str) -> None:
    with pytest.raises(UsageError, match="NAME=PATH"):
        named_paths(text, "--substitute")


def test_no_recipe_can_name_such_a_file(tmp_path: Path) -> None:
    text = repository.RECIPE.replace("url: https://toy.example/toy-1.0.tar.gz", "path: /toy-1.0.tar.gz", 1)
    assert text != repository.RECIPE
    with pytest.raises(UsageError, match="exactly one of the keys url, pypi, npm, git"):
        planner.make(Catalogue(repository.make(tmp_path / "other", text)), Request("toy"))
