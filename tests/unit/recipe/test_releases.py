"""One file, several releases: the table, the values in braces, and what is for some releases only."""

from __future__ import annotations

from dataclasses import fields
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from kiln.core import Document, UsageError
from kiln.recipe import Catalogue, Recipe
from kiln.recipe.releases import KEYS, of_release, releases_of
from tests.support import repository
from tests.support.repository import RECIPE

TABLE = f"""\
default: 1.1
releases:
  1.0:
    archive: {"c" * 64}
    size: 7
  1.1:
    archive: {"d" * 64}
    size: 8
    summary: toy {{release}}, the newer
    variants: {{python: ["3.11"]}}
  1.10:
    archive: {"e" * 64}
    size: 9
""".replace("default: 1.1\n", 'default: "1.1"\n')
MANY = (
    RECIPE.replace('releases: {"1.0": {}}\n', TABLE)
    .replace("summary: a toy\n", "summary: toy {release}\n")
    .replace("toy-1.0.tar.gz", "toy-{release}.tar.gz")
    .replace(f'"{"a" * 64}"', '"{archive}"')
    .replace("        size: 3\n", '        size: "{size}"\n')
    .replace(
        "  - name: extra\n",
        "  - name: old\n    when: {release: ['1.0', '>=1.10']}\n"
        f'    origins: [{{pypi: old, file: old-1.tar.gz, sha256: "{"f" * 64}"}}]\n  - name: extra\n',
    )
)


def catalogue(folder: Path, text: str = MANY, **files: str) -> Catalogue:
    return Catalogue(repository.make(folder, text, **files))


def mistakes(folder: Path, text: str = MANY, release: str = "1.0", **files: str) -> list[str]:
    found = catalogue(folder, text, **files)
    with pytest.raises(UsageError) as caught:
        found.patches(found.load("toy", release))
    return str(caught.value).replace(f"{found.root}/", "").splitlines()


def line_of(text: str, part: str) -> int:
    return next(number for number, line in enumerate(text.splitlines(), 1) if part in line)


def test_a_release_has_its_own_values_and_what_it_changes_of_the_recipe(tmp_path: Path) -> None:
    found = catalogue(tmp_path)
    one, other = found.load("toy", "1.0"), found.load("toy", "1.1")
    assert (one.version, one.summary, one.variants.python) == ("1.0", "toy 1.0", ("3.7", "3.11"))
    assert (other.version, other.summary, other.variants.python) == ("1.1", "toy 1.1, the newer", ("3.11",))
    assert other.variants.device == one.variants.device
    (first, *_), (second, *_) = one.sources, other.sources
    assert (first.file, first.digest, first.origins[0].size) == ("toy-1.0.tar.gz", "c" * 64, 7)
    assert (second.file, second.digest, second.origins[0].size) == ("toy-1.1.tar.gz", "d" * 64, 8)


def test_an_item_for_some_releases_is_there_for_these_alone_and_its_condition_is_gone(tmp_path: Path) -> None:
    found = catalogue(tmp_path)
    sources = {release: found.load("toy", release).sources for release in found.releases("toy")}
    names = {release: [source.name for source in each] for release, each in sources.items()}
    assert names == {"1.0": ["toy", "old", "extra"], "1.1": ["toy", "extra"], "1.10": ["toy", "old", "extra"]}
    assert sources["1.0"][1].when == {}


def test_the_default_is_the_recipes_own_choice_else_the_newest(tmp_path: Path) -> None:
    found = catalogue(tmp_path / "chosen")
    assert (found.releases("toy"), found.default("toy")) == (["1.0", "1.1", "1.10"], "1.1")
    assert catalogue(tmp_path / "newest", MANY.replace('default: "1.1"\n', "")).load("toy").version == "1.10"


def test_patches_lock_and_included_files_are_for_releases_too(tmp_path: Path) -> None:
    pin = 'origins: [{{pypi: {0}, file: {0}-1.tar.gz, sha256: "{1}"}}]'
    files = {
        "recipes/toy/sources.lock.yaml": 'releases: ["1.0", "1.1", "1.10"]\nsources:\n'
        f"  - {{name: a, when: {{release: '1.1'}}, {pin.format('a', '1' * 64)}}}\n"
        f"  - {{name: a, when: {{release: '<1.1'}}, {pin.format('a', '2' * 64)}}}\n",
        "recipes/shared/x.yaml": "sources:\n"
        f"  - {{name: b, when: {{release: '>=1.1', fast: true}}, {pin.format('b', '3' * 64)}}}\n",
        "patches/toy/series.yaml": "patches:\n"
        "  - {file: 0001-x.patch, tree: tree, why: 'of {release}', when: {release: '1.1'}}\n",
        "patches/toy/0001-x.patch": "",
    }
    tree = f'  - name: tree\n    tree: "{"9" * 64}"\n    {pin.format("t", "8" * 64)}\n'
    text = MANY.replace("sources:\n", f"include: [shared/x.yaml]\nsources:\n{tree}", 1)
    found = catalogue(tmp_path, text, **files)
    digests = {
        release: {
            each.name: each.digest for each in found.load("toy", release).sources if each.name in ("a", "b")
        }
        for release in ("1.0", "1.1", "1.10")
    }
    assert digests == {
        "1.0": {"a": "2" * 64},
        "1.1": {"a": "1" * 64, "b": "3" * 64},
        "1.10": {"b": "3" * 64},
    }
    whys = {
        release: [each.why for each in found.patches(found.load("toy", release))]
        for release in ("1.0", "1.1")
    }
    assert whys == {"1.0": [], "1.1": ["of 1.1"]}


def test_further_releases_may_have_a_file_of_their_own(tmp_path: Path) -> None:
    other = RECIPE.replace('releases: {"1.0": {}}\n', "releases: {2.0+vendor: {}}\n").replace(
        "a toy", "a fork"
    )
    found = catalogue(tmp_path, **{"recipes/toy/vendor/recipe.yaml": other})
    assert found.releases("toy") == ["1.0", "1.1", "1.10", "2.0+vendor"]
    assert (found.default("toy"), found.load("toy", "2.0+vendor").summary) == ("1.1", "a fork")
    assert [str(found.folder("toy", release)) for release in ("1.0", "2.0+vendor")] == ["toy", "toy/vendor"]
    assert found.names() == ["toy"]
    assert [each.summary for each in found.outlines()] == ["toy 1.1, the newer"]


def test_a_release_is_in_one_file(tmp_path: Path) -> None:
    found = catalogue(tmp_path, **{"recipes/toy/vendor/recipe.yaml": RECIPE})
    with pytest.raises(
        UsageError, match=r"vendor/recipe.yaml:2: releases.1.0: this .* twice; .*toy/recipe.yaml:4"
    ):
        found.load("toy", "1.0")


@pytest.mark.parametrize(
    ("text", "place", "message"),
    [
        (RECIPE.replace('releases: {"1.0": {}}\n', ""), "name:", "the key 'releases' is missing; add it"),
        (RECIPE.replace('releases: {"1.0": {}}', 'version: "1.0"'), "version:", "version: no such key here"),
        (RECIPE.replace('releases: {"1.0": {}}', "releases: [1.0]"), "releases:", "releases: give a table"),
        (RECIPE.replace('releases: {"1.0": {}}', "releases: {1.0: }"), "releases:", "releases: give a table"),
        (MANY.replace('default: "1.1"', 'default: "2.0"'), "default:", "default: '2.0' is not a release: choose"),
        (MANY.replace('default: "1.1"', "default: 1.1"), "default:", "default: 1.1 is not a release: choose one"),
        (
            MANY.replace("    archive: " + "c" * 64, "    arhive: " + "c" * 64),
            "arhive",
            "releases.1.0.arhive: this is not a key of a recipe, and no text below has {arhive}",
        ),
        (MANY.replace("    size: 7\n", "    size: 7.0\n"), "7.0", "releases.1.0.size: 7.0 is not a text; put it"),
        (MANY.replace("c" * 64, "c" * 63), "c" * 63, "releases.1.0.archive: '" + "c" * 63 + "' does not have"),
        (
            MANY.replace("    size: 7\n", ""),
            '"{size}"',
            "sources[0].origins[0].size: release 1.0 has no value 'size': add it to releases.1.0",
        ),
        (MANY.replace("'>=1.10'", "'1.9'"), "'1.9'", "sources[1].when.release: '1.9' is not a release: use 1.0,"),
        (MANY.replace("'>=1.10'", "'>=x'"), "'>=x'", "sources[1].when.release: '>=x' is not a release: use"),
        (MANY.replace("'1.0', ", "1.0, "), "[1.0,", "sources[1].when.release: 1.0 is not a release: use 1.0, 1.1"),
        (
            MANY.replace("  1.0:\n", "  1/0:\n").replace("['1.0', ", "["),
            "  1/0:",
            "releases.1/0: '1/0' does not have the form",
        ),
        (
            MANY.replace("    size: 7\n", "    size: 7\n    steps: []\n"),
            "steps: []",
            "releases.1.0.steps: tuple should have at least 1 item",
        ),
    ],
)  # fmt: skip
def test_a_mistake_in_the_table_is_named_with_its_own_line(
    tmp_path: Path, text: str, place: str, message: str
) -> None:
    release = "1/0" if "1/0" in text else "1.0"
    (found, *_) = mistakes(tmp_path, text, release)
    assert found.startswith(f"recipes/toy/recipe.yaml:{line_of(text, place)}: {message}"), found


def test_a_mistake_after_an_item_of_another_release_is_named_where_it_is_in_the_file(tmp_path: Path) -> None:
    text = MANY.replace("pypi: extra, file", "pypi: ex/tra, file")
    (found,) = mistakes(tmp_path, text, "1.1")
    assert found.startswith(
        f"recipes/toy/recipe.yaml:{line_of(text, 'ex/tra')}: sources[2].origins[0].pypi: "
    )


def test_a_lock_that_was_not_made_for_a_release_says_how_to_make_it(tmp_path: Path) -> None:
    lock = 'releases: ["1.1"]\nsources: []\n'
    (found,) = mistakes(tmp_path, **{"recipes/toy/sources.lock.yaml": lock})
    assert found == (
        "recipes/toy/sources.lock.yaml:1: releases: 1.0 is not in this lock: run `./inv lock toy/1.0`"
    )
    assert catalogue(tmp_path / "there", **{"recipes/toy/sources.lock.yaml": lock}).load("toy", "1.1")


def test_a_release_may_change_every_key_but_those_that_name_the_recipe() -> None:
    assert {each.name for each in fields(Recipe)} - KEYS == {"name", "version", "task"}


@settings(deadline=None, max_examples=100)
@given(st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=3) | st.just("{release}"),
    lambda inner: st.lists(inner, max_size=3).map(tuple) | st.dictionaries(
        st.sampled_from(["releases", "default", "1.0", "when", "release", "options", "x"]), inner, max_size=4
    ),
    max_leaves=12,
))  # fmt: skip
def test_whatever_yaml_a_file_holds_it_is_read_or_refused(value: object) -> None:
    document = Document(Path("recipe.yaml"), value, dict)
    try:
        for release in releases_of(document):
            of_release(document, release)
    except UsageError as error:
        assert str(error).startswith("recipe.yaml:1: ")
