from __future__ import annotations

from pathlib import Path

import pytest

from kiln import recipe
from kiln.core.errors import UsageError
from kiln.recipe import Catalogue
from tests.support import repository
from tests.support.repository import RECIPE, ROOT


def mistakes(folder: Path, text: str, **files: str) -> list[str]:
    """The lines of the error for a recipe, without the folder's own path."""
    root = repository.make(folder, text, **files)
    with pytest.raises(UsageError) as caught:
        catalogue = Catalogue(root)
        catalogue.patches(catalogue.load("toy"))
    assert caught.value.exit_code == 2
    return str(caught.value).replace(str(root) + "/", "").splitlines()


def line_of(text: str, part: str) -> int:
    return next(number for number, line in enumerate(text.splitlines(), 1) if part in line)


@pytest.mark.parametrize("name", Catalogue(ROOT).names())
def test_every_release_of_the_repository_is_sound(name: str) -> None:
    catalogue = Catalogue(ROOT)
    assert catalogue.default(name) in catalogue.releases(name)
    for release in catalogue.releases(name):
        loaded = catalogue.load(name, release)
        assert (loaded.name, loaded.version) == (name, release)
        assert catalogue.patches(loaded) is not None


def test_a_misspelt_key_is_named_with_file_and_line(tmp_path: Path) -> None:
    text = RECIPE.replace("toolchain:", "toolchian:")
    found = mistakes(tmp_path, text)
    assert (
        f"recipes/toy/recipe.yaml:{line_of(text, 'toolchian')}: toolchian: no such key here; "
        "look for a misspelling"
    ) in found
    assert any("'toolchain' is missing" in line for line in found)


def test_a_wrong_type_is_named_with_file_line_and_key(tmp_path: Path) -> None:
    text = RECIPE.replace("source_date_epoch: 1585958400", "source_date_epoch: soon")
    (found,) = mistakes(tmp_path, text)
    assert found.startswith(f"recipes/toy/recipe.yaml:{line_of(text, 'soon')}: source_date_epoch: ")
    assert "integer" in found


def test_a_missing_hash_is_named_at_the_origin_that_lacks_it(tmp_path: Path) -> None:
    text = RECIPE.replace(f'        sha256: "{"a" * 64}"\n', "")
    (found,) = mistakes(tmp_path, text)
    assert "sources[0].origins[0]: the key 'sha256' is missing" in found
    assert found.startswith(f"recipes/toy/recipe.yaml:{line_of(text, 'url:')}: ")


def test_a_hash_of_the_wrong_form_is_refused(tmp_path: Path) -> None:
    (found,) = mistakes(tmp_path, RECIPE.replace("a" * 64, "A" * 64))
    assert "sources[0].origins[0].sha256" in found


def test_a_duplicate_source_is_named_with_both_lines(tmp_path: Path) -> None:
    text = RECIPE.replace("  - name: extra\n    when: {fast: false}\n", "  - name: toy\n")
    (found,) = mistakes(tmp_path, text)
    lines = [number for number, line in enumerate(text.splitlines(), 1) if line == "  - name: toy"]
    assert found.startswith(f"recipes/toy/recipe.yaml:{lines[1]}: sources[1].name: source 'toy' is there")
    assert found.endswith(f"the first is at recipes/toy/recipe.yaml:{lines[0]}")


def test_a_source_may_not_be_both_in_the_recipe_and_in_its_lock(tmp_path: Path) -> None:
    lock = f"""\
        releases: ["1.0"]
        sources:
          - name: toy
            origins: [{{url: "https://toy.example/x", sha256: "{"c" * 64}"}}]
        """
    (found,) = mistakes(tmp_path, RECIPE, **{"recipes/toy/sources.lock.yaml": lock})
    assert found.startswith("recipes/toy/sources.lock.yaml:3: sources[0].name: source 'toy' is there twice")


def test_a_key_that_is_there_twice_is_refused(tmp_path: Path) -> None:
    text = RECIPE + "license: BSD\n"
    (found,) = mistakes(tmp_path, text)
    last = len(text.splitlines())
    assert found == f"recipes/toy/recipe.yaml:{last}: license: this key appears twice; remove one"


def test_every_mistake_of_a_file_is_told_at_once_in_the_order_of_its_lines(tmp_path: Path) -> None:
    text = RECIPE.replace("a toy", "[]").replace("https://toy.example/\n", "7\n").replace("1585958400", "1")
    found = mistakes(tmp_path, text)
    assert len(found) == 3
    numbers = [int(line.split(":")[1]) for line in found]
    assert numbers == sorted(numbers)


@pytest.mark.parametrize(
    "url",
    [
        "file:///etc/passwd", "ssh://host/x", "ftp://host/x", "https://me:secret@host/x", "http://[bad/x",
        "http://host:port/x", "http://:80/x",
    ],
)  # fmt: skip
def test_an_origin_is_http_or_https_and_carries_no_password(tmp_path: Path, url: str) -> None:
    (found,) = mistakes(tmp_path, RECIPE.replace("https://toy.example/toy-1.0.tar.gz", url))
    assert "sources[0].origins[0].url" in found


def test_an_origin_of_two_forms_is_refused(tmp_path: Path) -> None:
    (found,) = mistakes(tmp_path, RECIPE.replace("        size: 3\n", "        pypi: toy\n"))
    assert "exactly one of the keys url, pypi, npm, git" in found


def test_a_member_that_leaves_the_archive_is_refused(tmp_path: Path) -> None:
    text = RECIPE.replace("        size: 3\n", "        member: a/../../b\n")
    assert any("sources[0].origins[0].member" in line for line in mistakes(tmp_path, text))


TREE_HASH = RECIPE.replace("  - name: toy\n", f'  - name: toy\n    tree_hash: "{"d" * 64}"\n')
MEMBER = RECIPE.replace("        size: 3\n", "        member: package/tool\n")


@pytest.mark.parametrize(
    ("text", "mistake"),
    [
        (MEMBER, "sources[0].origins[0].member: a member needs the key 'tree', or 'sha256' for a file"),
        (
            RECIPE.replace("  - name: toy\n", f'  - name: toy\n    sha256: "{"c" * 64}"\n'),
            "sources[0].origins[0].sha256: this is not the source's sha256, and there is no member",
        ),
        (
            MEMBER.replace(
                "  - name: toy\n", f'  - name: toy\n    sha256: "{"c" * 64}"\n    tree: "{"d" * 64}"\n'
            ),
            "sources[0].sha256: a source is a tree or a file",
        ),
        (
            RECIPE.replace("        size: 3\n", f'      - {{npm: x, version: "1", sha256: "{"c" * 64}"}}\n'),
            "sources[0].origins: origins with different hashes need the key 'tree', or 'sha256' for a member",
        ),
        (TREE_HASH.replace("toy-1.0.tar.gz", "toy-1.0.tar.xz"), "tree_hash: toy-1.0.tar.xz is made as .tar"),
        (
            TREE_HASH.replace("tree_hash", f'tree: "{"d" * 64}"\n    tree_hash'),
            "sources[0].tree_hash: only a file that is an archive as it is has a tree_hash",
        ),
        (
            RECIPE.replace("  - name: toy\n", "  - name: toy\n    packed: true\n"),
            "sources[0].packed: only a tree can be packed",
        ),
        (
            RECIPE.replace("  - name: toy\n", "  - name: toy\n    prepare: scripts/x.sh\n"),
            "sources[0].prepare: only a tree that is a folder can be prepared",
        ),
        (
            RECIPE.replace("pypi: extra, file: extra-1.0.tar.gz", 'npm: "https://host/x", version: 1.0.0'),
            "sources[1].origins[0].npm",
        ),
    ],
)
def test_hashes_that_do_not_fit_each_other_are_refused(tmp_path: Path, text: str, mistake: str) -> None:
    assert any(mistake in line for line in mistakes(tmp_path, text))


def test_a_file_may_be_a_member_of_an_archive_with_its_own_hash(tmp_path: Path) -> None:
    text = MEMBER.replace("  - name: toy\n", f'  - name: toy\n    sha256: "{"c" * 64}"\n')
    source = Catalogue(repository.make(tmp_path, text)).load("toy").sources[0]
    assert (source.digest, source.file) == ("c" * 64, "tool")


def test_a_condition_on_something_unknown_is_refused(tmp_path: Path) -> None:
    (found,) = mistakes(tmp_path, RECIPE.replace("when: {fast: false}", "when: {fats: false}"))
    assert "sources[1].when.fats: no such condition" in found


def test_a_file_that_is_not_yaml_is_told_with_its_line(tmp_path: Path) -> None:
    (found,) = mistakes(tmp_path, "name: toy\nversion: [\n")
    assert found.startswith("recipes/toy/recipe.yaml:3: this is not YAML")


def test_an_option_may_have_another_default_under_another_condition_and_no_two_under_the_same(
    tmp_path: Path,
) -> None:
    first = "  - {name: gcc, type: str, default: gcc-9, help: x, when: {device: cpu}}\n"
    other = "  - {name: gcc, type: str, default: gcc-7, help: x, when: {device: cuda-10.0}}\n"
    text = RECIPE.replace("sources:\n", f"{first}{other}sources:\n", 1)
    loaded = Catalogue(repository.make(tmp_path / "right", text)).load("toy")
    defaults = [
        [option.default for option in recipe.options(loaded, {"device": device}) if option.name == "gcc"]
        for device in ("cpu", "cuda-10.0", "cuda-11.8")
    ]
    assert defaults == [["gcc-9"], ["gcc-7"], []]
    (found,) = mistakes(tmp_path / "wrong", text.replace(other, first))
    assert found.endswith("options[3].name: option 'gcc' is there twice")


def test_a_patch_without_its_file_is_named(tmp_path: Path) -> None:
    series = "patches:\n  - {file: 0001-x.patch, tree: toy, why: because}\n"
    found = mistakes(tmp_path, RECIPE, **{"patches/toy/series.yaml": series})
    assert any("patches[0].file: there is no patches/toy/0001-x.patch" in line for line in found)


def test_patches_are_in_the_order_of_their_numbers(tmp_path: Path) -> None:
    series = (
        "patches:\n  - {file: 0002-y.patch, tree: toy, why: b}\n  - {file: 0001-x.patch, tree: toy, why: a}\n"
    )
    root = repository.make(
        tmp_path,
        RECIPE.replace("    origins:", f"    tree: {'c' * 64}\n    origins:", 1),
        **{"patches/toy/series.yaml": series, "patches/toy/0002-y.patch": "", "patches/toy/0001-x.patch": ""},
    )
    catalogue = Catalogue(root)
    assert [each.file for each in catalogue.patches(catalogue.load("toy"))] == [
        "0001-x.patch",
        "0002-y.patch",
    ]


@pytest.mark.parametrize("file", ["../0001-x.patch", "/0001-x.patch", "a/0001-x.patch", "x.patch"])
def test_a_patch_cannot_be_outside_the_recipes_own_patches(tmp_path: Path, file: str) -> None:
    series = f"patches:\n  - {{file: {file}, tree: toy, why: because}}\n"
    (found,) = mistakes(tmp_path, RECIPE, **{"patches/toy/series.yaml": series})
    assert found.startswith("patches/toy/series.yaml:2: patches[0].file")


def test_a_recipe_or_release_that_does_not_exist_is_answered_with_those_that_do(tmp_path: Path) -> None:
    root = repository.make(tmp_path)
    with pytest.raises(UsageError, match=r"no recipe 'tyo'.*choose one of toy"):
        Catalogue(root).load("tyo")
    with pytest.raises(UsageError, match=r"no release '2\.0': choose one of 1\.0"):
        Catalogue(root).load("toy", "2.0")


def test_a_range_of_versions_that_is_none_is_named(tmp_path: Path) -> None:
    text = RECIPE.replace("    when: {fast: false}", '    when: {glibc: ">=two"}')
    (found,) = mistakes(tmp_path, text)
    assert found.endswith("when.glibc: '>=two' is not a range of versions, such as '>=2.30'")


def test_only_out_of_a_tree_can_files_be_left(tmp_path: Path) -> None:
    text = RECIPE.replace("    when: {fast: false}", "    without: [a/b]")
    (found,) = mistakes(tmp_path, text)
    assert found.endswith("without: only out of a tree as it is in its origins can files be left")


def test_a_recipe_may_name_its_own_task(tmp_path: Path) -> None:
    (plain,) = Catalogue(repository.make(tmp_path / "plain")).outlines()
    named = RECIPE.replace("toolchain: opencv", "toolchain: opencv\ntask: build-t")
    (other,) = Catalogue(repository.make(tmp_path / "named", named)).outlines()
    assert (plain.command, other.command) == ("build-toy", "build-t")


@pytest.mark.parametrize(
    ("right", "wrong", "key"),
    [
        ("device: [cpu]", 'device: [cpu, "../../../../evil"]', "variants.device[1]: "),
        ("device: [cpu]", "device: [cpu, cuda-99.9]", "variants.device[1]: there is no recipes/cuda/99.9"),
        ("base: [bookworm]", "base: [bookworm, ../x]", "variants.base[1]: "),
        ("base: [bookworm]", "base: [bookworm, nowhere]", "variants.base[1]: there is no recipes/bases/nowhere"),
        ('python: ["3.7", "3.11"]', 'python: ["3.7", "3.11", "x/y"]', "variants.python[2]: "),
        ("suite: smoke/toy", "suite: smoke/nowhere", "smoke.suite: there is no smoke/nowhere"),
        ("suite: smoke/toy", "suite: smoke/toy, folders: [none]", "smoke.folders[0]: there is no none"),
        ("toolchain: opencv", "toolchain: none", "toolchain: there is no docker/none"),
        ("1585958400", "1" + "0" * 30, "source_date_epoch: this number is too large"),
        ("1585958400", "99999999999", "source_date_epoch: "),
        ("size: 3", "size: -3", "sources[0].origins[0].size: "),
        ("steps:", "include: [none.yaml]\nsteps:", "include[0]: there is no recipes/none.yaml"),
    ],
)  # fmt: skip
def test_a_value_that_no_build_could_use_is_named_with_file_line_and_key(
    tmp_path: Path, right: str, wrong: str, key: str
) -> None:
    text = RECIPE.replace(right, wrong)
    (found,) = mistakes(tmp_path, text)
    assert found.startswith(f"recipes/toy/recipe.yaml:{line_of(text, wrong.splitlines()[0])}: {key}")


def test_a_range_in_a_condition_is_for_versions_and_costs_no_traceback(tmp_path: Path) -> None:
    text = RECIPE.replace("when: {fast: false}", 'when: {device: ">=1"}')
    assert Catalogue(repository.make(tmp_path, text)).load("toy").sources
