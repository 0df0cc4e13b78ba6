from __future__ import annotations

import hashlib
import json
import os
import re
import subprocess
import textwrap
from collections.abc import Mapping
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from kiln.commands import lock
from kiln.core.errors import DifferenceError, SourceError, UsageError
from kiln.core.home import Home
from kiln.lock import generator, lockfile
from kiln.lock.lockfile import Content
from kiln.recipe import Catalogue, Parts
from kiln.recipe.source import GitOrigin, PypiOrigin, Source, UrlOrigin
from kiln.sources.settings import FetchSettings
from kiln.sources.vault import Vault
from tests.support.repository import RECIPE, ROOT

COMMIT = "c0ffee" * 6 + "c0ff"


class Notes:
    """Progress that keeps what it is told."""

    def __init__(self) -> None:
        self.notes: list[str] = []

    def begin(self, name: str, total: int | None) -> None:
        pass

    def advance(self, name: str, amount: int) -> None:
        pass

    def end(self, name: str) -> None:
        pass

    def note(self, text: str) -> None:
        self.notes.append(text)


def write(root: Path, files: Mapping[str, str]) -> Path:
    for name, text in files.items():
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(textwrap.dedent(text), encoding="utf-8")
    return root


def run(root: Path, mirrors: tuple[str, ...] = (), **request: object) -> generator.Lock:
    """`./inv lock toy` in the repository `root`, without a network."""
    home = Home.of({"KILN_HOME": str(root / "home")})
    settings = FetchSettings(offline=True, git_mirrors=mirrors)
    asked = lock.Request("toy", **request)  # type: ignore[arg-type]
    if not (root / "recipes/toy/recipe.yaml").exists():
        write(root, {"recipes/toy/recipe.yaml": RECIPE})
    (made,) = lock.make_locks(Catalogue(root), asked, home, settings, Notes())
    return made


def sources(made: generator.Lock, release: str = "1.0") -> dict[str, Source]:
    return {source.name: source for source in lockfile.read(made.path)[release].sources}


BAZEL = {
    "recipes/toy/lock.yaml": """
        reader: bazel
        trees: [toy]
        needed: {cpu: cpu.txt, gpu: gpu.txt}
        """,
    "recipes/toy/cpu.txt": "@zlib//:z\n",
    "recipes/toy/gpu.txt": "zlib\ntool\n",
    "tree/WORKSPACE": f"""
        load("@bazel_tools//:http.bzl", "http_archive", "http_file")
        http_file(name = "unhashed", url = "https://x.example/unhashed")
        http_file(name = "jar", url = "https://x.example/maven2/a/a.jar", sha256 = "{"d" * 64}")
        http_file(name = "tool", urls = ["https://x.example/v1.bin"], sha256 = "{"a" * 64}")
        http_archive(
            name = "zlib",
            urls = [
                "https://m.example/github.com/madler/zlib/archive/{COMMIT}.tar.gz",
                "https://github.com/madler/zlib/archive/{COMMIT}.tar.gz",
            ],
            sha256 = "{"b" * 64}",
            strip_prefix = "zlib-{COMMIT}/src",
        )
        http_archive(
            name = "six_archive",
            urls = [
                "https://m.example/index.example/packages/source/s/six/six-1.10.0.tar.gz",
                "https://index.example/packages/source/s/six/six-1.10.0.tar.gz",
            ],
            sha256 = "{"c" * 64}",
            strip_prefix = "six-1.10.0",
        )
        """,
}


def test_a_workspace_becomes_a_lock_with_what_each_device_needs(tmp_path: Path) -> None:
    write(tmp_path, BAZEL)
    made = run(tmp_path, tree=str(tmp_path / "tree"))
    assert made.path == tmp_path / "recipes/toy/sources.lock.yaml"
    assert lockfile.read(made.path)["1.0"].left_out == {
        "jar": "a package of Java or Debian, and no target needs it",
        "unhashed": "the workspace records no hash, and no target needs it",
    }
    assert sources(made) == {
        "six_archive": Source(
            "six_archive",
            origins=(PypiOrigin("six", "six-1.10.0.tar.gz", "c" * 64),),
            when={"device": ()},
            filename="six_archive.tar.gz",
        ),
        "tool": Source(
            "tool",
            origins=(UrlOrigin("https://x.example/v1.bin", "a" * 64),),
            when={"device": ("gpu",)},
            filename="tool.bin",
        ),
        "zlib": Source(
            "zlib",
            origins=(
                UrlOrigin(f"https://m.example/github.com/madler/zlib/archive/{COMMIT}.tar.gz", "b" * 64),
                UrlOrigin(f"https://github.com/madler/zlib/archive/{COMMIT}.tar.gz", "b" * 64),
                GitOrigin("https://github.com/madler/zlib", COMMIT, f"zlib-{COMMIT}/", "tar.gz", "b" * 64),
            ),
            when={"device": ("cpu", "gpu")},
            filename="zlib.tar.gz",
        ),
    }


def test_the_licence_of_an_external_goes_into_the_lock(tmp_path: Path) -> None:
    settings = BAZEL["recipes/toy/lock.yaml"].rstrip(" ") + "        licenses: licenses.yaml\n        "
    licences = "licenses: {zlib: Zlib, six_archive: MIT, another: MIT}"
    write(tmp_path, {**BAZEL, "recipes/toy/lock.yaml": settings, "recipes/toy/licenses.yaml": licences})
    made = run(tmp_path, tree=str(tmp_path / "tree"))
    found = {name: source.license for name, source in sources(made).items()}
    assert found == {"six_archive": "MIT", "tool": None, "zlib": "Zlib"}

    write(tmp_path, {"recipes/toy/licenses.yaml": "licenses:\n  zlib: ''"})
    with pytest.raises(UsageError, match=r"licenses\.yaml:2: licenses\.zlib: "):
        run(tmp_path, tree=str(tmp_path / "tree"))


def test_what_an_option_adds_is_there_with_that_option_unless_a_device_needs_it(tmp_path: Path) -> None:
    options = "        options: {more: [six_archive, jar], other: [tool, ghost]}\n        "
    settings = BAZEL["recipes/toy/lock.yaml"].rstrip(" ") + options
    write(tmp_path, {**BAZEL, "recipes/toy/lock.yaml": settings})
    made = run(tmp_path, tree=str(tmp_path / "tree"))
    assert {name: dict(source.when) for name, source in sources(made).items()} == {
        "jar": {"more": (True,)},
        "six_archive": {"more": (True,)},
        "tool": {"device": ("gpu",)},
        "zlib": {"device": ("cpu", "gpu")},
    }
    assert "lock.yaml, other: the workspace does not declare ghost" in made.notes


def test_to_generate_a_lock_again_changes_nothing_and_a_changed_tree_is_told(tmp_path: Path) -> None:
    write(tmp_path, BAZEL)
    tree = str(tmp_path / "tree")
    text = run(tmp_path, tree=tree).text
    assert run(tmp_path, tree=tree).text == text
    assert not run(tmp_path, tree=tree, check=True).changed
    write(tmp_path, {"tree/WORKSPACE": BAZEL["tree/WORKSPACE"].replace("v1.bin", "v2.bin")})
    with pytest.raises(DifferenceError, match=r"run `\./inv lock toy`"):
        run(tmp_path, tree=tree, check=True)
    assert (tmp_path / "recipes/toy/sources.lock.yaml").read_text(encoding="utf-8") == text


def test_another_output_leaves_the_recipes_lock_alone(tmp_path: Path) -> None:
    write(tmp_path, BAZEL)
    made = run(tmp_path, tree=str(tmp_path / "tree"), output=str(tmp_path / "other.yaml"))
    assert set(sources(made)) == {"six_archive", "tool", "zlib"}
    assert not (tmp_path / "recipes/toy/sources.lock.yaml").exists()


def test_a_needed_download_without_a_hash_stops_with_its_name(tmp_path: Path) -> None:
    write(tmp_path, {**BAZEL, "more.txt": "//external:unhashed"})
    with pytest.raises(SourceError) as caught:
        run(tmp_path, tree=str(tmp_path / "tree"), needed=f"gpu={tmp_path / 'more.txt'}")
    assert caught.value.exit_code == 3
    assert "\n  unhashed: the tree records no hash of it\n" in str(caught.value)


def test_a_needed_package_of_another_registry_is_pinned(tmp_path: Path) -> None:
    write(tmp_path, {**BAZEL, "more.txt": "jar"})
    made = run(tmp_path, tree=str(tmp_path / "tree"), needed=f"gpu={tmp_path / 'more.txt'}")
    assert sources(made)["jar"].origins == (UrlOrigin("https://x.example/maven2/a/a.jar", "d" * 64),)


def test_a_needed_name_that_is_not_declared_is_told(tmp_path: Path) -> None:
    write(tmp_path, {**BAZEL, "more.txt": "zlib\nzilb\nbazel_tools"})
    made = run(tmp_path, tree=str(tmp_path / "tree"), needed=f"cpu={tmp_path / 'more.txt'}")
    assert made.notes == (f"{tmp_path / 'more.txt'} names what the workspace does not declare: zilb",)


def git(folder: Path, *arguments: str) -> str:
    identity = {
        "GIT_AUTHOR_NAME": "t",
        "GIT_AUTHOR_EMAIL": "t@t",
        "GIT_COMMITTER_NAME": "t",
        "GIT_COMMITTER_EMAIL": "t@t",
    }
    done = subprocess.run(
        ["git", "-C", str(folder), *arguments], check=True, capture_output=True, text=True,
        env={**os.environ, **identity, "GIT_CONFIG_GLOBAL": "/dev/null"},
    )  # fmt: skip
    return done.stdout.strip()


def repository(folder: Path, files: Mapping[str, str], tag: str) -> str:
    """A repository with one commit, under an annotated tag: the commit."""
    write(folder, files)
    git(folder, "init", "--quiet")
    git(folder, "add", ".")
    git(folder, "commit", "--quiet", "--message", "one")
    git(folder, "tag", "--annotate", "--message", "release", tag)
    return git(folder, "rev-parse", "HEAD")


def test_a_tag_becomes_the_commit_that_a_mirror_has_and_stays_it_without_the_mirror(tmp_path: Path) -> None:
    commit = repository(tmp_path / "mirrors/o/r", {"a": "b"}, "v1.0")
    workspace = f"""
        load("@bazel_tools//:http.bzl", "http_archive")
        http_archive(name = "r", url = "https://github.com/o/r/archive/v1.0.zip", sha256 = "{"a" * 64}")
        """
    settings = "reader: bazel\ntrees: [toy]\n"
    write(tmp_path, {"recipes/toy/lock.yaml": settings, "tree/WORKSPACE": workspace})
    made = run(tmp_path, (f"{tmp_path}/mirrors/{{owner}}/{{repo}}",), tree=str(tmp_path / "tree"))
    assert sources(made)["r"].origins[1] == GitOrigin(
        "https://github.com/o/r", commit, "r-1.0/", "zip", "a" * 64
    )
    assert sources(made)["r"].when == {}
    assert run(tmp_path, tree=str(tmp_path / "tree")).text == made.text


CHECKOUT = {
    "recipes/toy/lock.yaml": "reader: bazel\ntrees: [toy]\n",
    "tree/WORKSPACE": """
        load("@bazel_tools//:git.bzl", "git_repository")
        git_repository(name = "rules", remote = "https://github.com/o/rules.git", tag = "v1")
        load("@rules//:defs.bzl", "deps")
        deps()
        """,
}
RULES = {
    "defs.bzl": f"""
        load("@bazel_tools//:http.bzl", "http_file")
        def deps():
            http_file(name = "inner", url = "https://x.example/inner.jar", sha256 = "{"d" * 64}")
        """
}


def test_a_checkout_becomes_a_tree_and_what_it_declares_is_in_the_lock(tmp_path: Path) -> None:
    write(tmp_path, CHECKOUT)
    commit = repository(tmp_path / "mirrors/o/rules", RULES, "v1")
    made = run(tmp_path, (f"{tmp_path}/mirrors/{{owner}}/{{repo}}",), tree=str(tmp_path / "tree"))
    assert set(sources(made)) == {"inner", "rules"}
    rules = sources(made)["rules"]
    assert rules.tree
    assert {origin.member for origin in rules.origins} == {"rules-1"}
    assert [origin.commit for origin in rules.origins if isinstance(origin, GitOrigin)] == [commit]
    # The archive was put into the vault, so that neither the mirror nor a network is needed any more.
    assert run(tmp_path, tree=str(tmp_path / "tree")).text == made.text


def test_a_workspace_that_takes_over_what_is_not_at_hand_is_refused_until_its_tree_is_given(
    tmp_path: Path,
) -> None:
    workspace = f"""
        load("@bazel_tools//:http.bzl", "http_archive")
        http_archive(name = "rules", url = "https://x.example/rules.tar.gz", sha256 = "{"e" * 64}")
        load("@rules//:defs.bzl", "deps")
        deps()
        """
    write(tmp_path, {**CHECKOUT, "tree/WORKSPACE": workspace})
    with pytest.raises(SourceError, match=r"takes over from rules is not known.*--repositories") as caught:
        run(tmp_path, tree=str(tmp_path / "tree"))
    assert caught.value.exit_code == 3
    write(tmp_path / "given" / "rules", RULES)
    made = run(tmp_path, tree=str(tmp_path / "tree"), repositories=str(tmp_path / "given"))
    assert set(sources(made)) == {"inner", "rules"}


def md5(text: str) -> str:
    return hashlib.md5(text.encode(), usedforsecurity=False).hexdigest()


def sha256(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()


CMAKE = {
    "recipes/toy/lock.yaml": """
        reader: cmake
        command: fetch
        trees: [toy, more]
        take:
          - {id: data, when: {fast: true}, license: MIT}
          - id: lib
            name: lib
            filename: lib-{version}.tar.gz
            moved: https://github.com/new/lib
        leave:
          - {id: windows, why: it is for another system}
        """,
    "tree/CMakeLists.txt": f"""
        fetch(FILENAME model_a.bin HASH {md5("model")} URL https://x.example/ RELATIVE_URL ID DATA)
        fetch(FILENAME tool.dll HASH {md5("dll")} URL https://x.example/tool.dll ID windows)
        """,
    "more/x.cmake": f"""
        set(url https://github.com/old/lib/archive/)
        fetch(FILENAME v1.2.tar.gz HASH {md5("lib")} URL ${{url}} RELATIVE_URL ID lib)
        """,
    "files/one": "model",
    "files/two": "lib",
    "files/three": "other",
}


def cmake(root: Path, **request: object) -> generator.Lock:
    return run(root, tree=f"toy={root / 'tree'},more={root / 'more'}", **request)


def test_cmakes_downloads_are_pinned_by_files_with_the_md5_that_the_tree_records(tmp_path: Path) -> None:
    write(tmp_path, CMAKE)
    made = cmake(tmp_path, folder=str(tmp_path / "files"))
    assert lockfile.read(made.path)["1.0"].left_out == {"windows (tool.dll)": "it is for another system"}
    assert sources(made) == {
        "model-a": Source(
            "model-a",
            origins=(UrlOrigin("https://x.example/model_a.bin", sha256("model"), 5),),
            when={"fast": (True,)},
            license="MIT",
        ),
        "lib": Source(
            "lib",
            origins=(
                UrlOrigin("https://github.com/new/lib/archive/v1.2.tar.gz", sha256("lib"), 3),
                UrlOrigin("https://github.com/old/lib/archive/v1.2.tar.gz", sha256("lib"), 3),
            ),
            filename="lib-1.2.tar.gz",
        ),
    }


def test_a_pin_whose_url_is_unchanged_is_kept_where_the_file_cannot_be_had(tmp_path: Path) -> None:
    write(tmp_path, CMAKE)
    text = cmake(tmp_path, folder=str(tmp_path / "files")).text
    vault = Vault(tmp_path / "home" / "sources")
    vault.path(sha256("model")).unlink()
    assert cmake(tmp_path).text == text


def test_a_pin_that_contradicts_the_trees_md5_is_not_kept(tmp_path: Path) -> None:
    write(tmp_path, CMAKE)
    cmake(tmp_path, folder=str(tmp_path / "files"))
    changed = CMAKE["tree/CMakeLists.txt"].replace(md5("model"), md5("new model"))
    write(tmp_path, {"tree/CMakeLists.txt": changed, "files/four": "new model"})
    with pytest.raises(
        SourceError, match=f"1 of 2 downloads.*\n  model-a: no file with the MD5 {md5('new model')}"
    ):
        cmake(tmp_path)
    made = cmake(tmp_path, folder=str(tmp_path / "files"))
    assert sources(made)["model-a"].digest == sha256("new model")


def test_what_cannot_be_pinned_is_listed_as_a_whole(tmp_path: Path) -> None:
    write(tmp_path, CMAKE)
    with pytest.raises(SourceError) as caught:
        cmake(tmp_path)
    assert caught.value.exit_code == 3
    lines = str(caught.value).splitlines()
    assert lines[0] == "2 of 2 downloads cannot be pinned:"
    assert [line.split(":")[0].strip() for line in lines[1:3]] == ["lib", "model-a"]
    assert not (tmp_path / "recipes/toy/sources.lock.yaml").exists()


@pytest.mark.parametrize(
    ("settings", "told"),
    [
        ("reader: make\ntrees: [toy]", "lock.yaml:1: reader: "),
        ("reader: cmake\ntrees: [toy]", "lock.yaml:1: reader: this reader needs the key 'command'"),
        ("reader: bazel\ntrees: [a, b]", "lock.yaml:2: trees: this reader reads one tree"),
        ("reader: bazel\ntrees: []", "lock.yaml:2: trees: "),
        ("reader: bazel\ntrees: [a]\nneeded: {cpu: ../x}", "lock.yaml:3: needed.cpu: a relative path"),
        ("reader: bazel\ntrees: [a]\ntakes: []", "lock.yaml:3: takes: no such key here"),
        (
            "reader: cmake\ncommand: c\ntrees: [a]\nlicenses: a.yaml",
            "lock.yaml:4: licenses: this reader has no",
        ),
        (
            "reader: cmake\ncommand: c\ntrees: [a]\noptions: {x: [y]}",
            "lock.yaml:4: options: this reader has no",
        ),
        ("reader: bazel\ntrees: [a]\noptions: {x: [y], z: [y]}", "lock.yaml:3: options: two options name y"),
    ],
)
def test_a_mistake_in_the_settings_is_told_with_file_line_and_key(
    tmp_path: Path, settings: str, told: str
) -> None:
    write(tmp_path, {"recipes/toy/lock.yaml": settings})
    with pytest.raises(UsageError) as caught:
        run(tmp_path, tree=str(tmp_path))
    assert f"{tmp_path}/recipes/toy/{told}" in str(caught.value)


@pytest.mark.parametrize(
    ("request_", "told"),
    [
        ({"tree": "/nowhere/at/all"}, "/nowhere/at/all is not a folder"),
        ({"tree": "other=/tmp"}, "--tree names other: the lock is read from toy"),
        ({"tree": "toy="}, "--tree 'toy=' is not of the form NAME=PATH"),
        (
            {},
            "has no source tree named toy: correct the key 'trees' of .*/lock.yaml, or name the tree with --tree",
        ),
        ({"release": "2.0"}, "toy has no release '2.0': choose one of 1.0"),
    ],
)
def test_a_wrong_request_is_told(tmp_path: Path, request_: dict[str, str], told: str) -> None:
    write(tmp_path, BAZEL)
    with pytest.raises(UsageError, match=told):
        run(tmp_path, **request_)


# Texts without control characters, which YAML files of ours may not have.
SAFE = st.characters(exclude_categories=["C"])
names = st.text("abZ019", min_size=1, max_size=5) | st.sampled_from(["1.0", "1e5", "a._+-", "no", "0x1"])
hashes = st.text("0123456789abcdef", min_size=64, max_size=64) | st.just("1" * 64) | st.just("1e" + "0" * 62)
sizes = st.none() | st.integers(0, 2**40)
paths = st.none() | st.text("a1 #:-", max_size=6).map("x/".__add__)
origins = st.one_of(
    st.builds(UrlOrigin, st.text("!#%&:?~ab", max_size=9).map("https://x/".__add__), hashes, sizes, paths),
    st.builds(PypiOrigin, names, names, hashes, sizes, paths),
    st.builds(
        GitOrigin, st.just("https://github.com/o/r"), st.text("0123456789abcdef", min_size=40, max_size=40),
        names.map(lambda name: name + "/"), st.sampled_from(["zip", "tar.gz"]), hashes, sizes, paths,
    ),
)  # fmt: skip
SHARED = (Source("shared", origins=(UrlOrigin("https://x.example/shared", "c" * 64),)),)
conditions = st.dictionaries(
    st.sampled_from(["device", "python", "fast"]),
    st.lists(st.booleans() | st.text(SAFE, max_size=6) | st.integers(-9, 9), max_size=3).map(tuple),
    max_size=2,
)
any_sources = st.lists(
    st.builds(
        Source,
        name=names,
        origins=st.lists(origins, min_size=1, max_size=3).map(tuple),
        tree=st.none() | hashes,
        use=st.sampled_from(["input", "build"]),
        when=conditions,
        license=st.none() | st.text(SAFE, min_size=1, max_size=9),
        filename=st.none() | names,
    ),
    max_size=5,
    unique_by=lambda source: source.name,
)


contents = st.dictionaries(
    st.sampled_from(["1.0", "1.1", "1.2+x"]),
    st.builds(
        Content,
        st.one_of(any_sources, st.just(SHARED)).map(tuple),
        st.dictionaries(
            st.text(SAFE, min_size=1, max_size=9) | st.just("a (b.c): d"), st.sampled_from(["why", "no"])
        ),
    ),
    min_size=1,
)


@settings(deadline=None, max_examples=40)
@given(written=contents)
def test_a_lock_is_read_back_as_what_was_written_in_one_order(
    tmp_path_factory: pytest.TempPathFactory, written: dict[str, Content]
) -> None:
    path = tmp_path_factory.mktemp("lock") / "sources.lock.yaml"
    text = lockfile.render("./inv lock toy", written)
    backwards = {release: Content(each.sources[::-1], each.left_out) for release, each in written.items()}
    assert text == lockfile.render("./inv lock toy", backwards)
    path.write_text(text, encoding="utf-8")
    found = lockfile.read(path)
    assert list(found) == list(written)
    for release, content in written.items():
        by_name = {source.name: source for source in content.sources}
        assert {source.name: source for source in found[release].sources} == by_name
        assert found[release].left_out == content.left_out


def test_what_releases_share_is_in_a_lock_once(tmp_path: Path) -> None:
    own = Source("own", origins=(UrlOrigin("https://x.example/own", "d" * 64),), when={"fast": (True,)})
    both, one = Content(SHARED, {"x": "no"}), Content((*SHARED, own), {"x": "no", "y": "no"})
    text = lockfile.render("./inv lock toy", {"1.0": both, "1.1": one, "1.2": both})
    assert text.count('"name": "shared"') == 1
    assert re.findall(r'"when": ({.*?})', text) == ['{"release": "1.1"}', '{"release": "1.1", "fast": true}']


TWO = RECIPE.replace('releases: {"1.0": {}}', 'default: "1.0"\nreleases: {"1.0": {}, "1.1": {}}')


def test_one_release_is_locked_and_the_others_stay_as_they_are(tmp_path: Path) -> None:
    write(tmp_path, {**BAZEL, "recipes/toy/recipe.yaml": TWO})
    tree = str(tmp_path / "tree")
    before = run(tmp_path, tree=tree, release="1.1").text
    assert list(lockfile.read(tmp_path / "recipes/toy/sources.lock.yaml")) == ["1.1"]
    made = run(tmp_path, tree=tree, release="1.0")
    assert made.text == before.replace('"releases": ["1.1"]', '"releases": ["1.0", "1.1"]')
    write(tmp_path, {"tree/WORKSPACE": BAZEL["tree/WORKSPACE"].replace("v1.bin", "v2.bin")})
    made = run(tmp_path, tree=tree, release="1.1")
    tools = {release: str(sources(made, release)["tool"].origins[0]) for release in ("1.0", "1.1")}
    assert tools == {"1.0": "https://x.example/v1.bin", "1.1": "https://x.example/v2.bin"}
    assert made.text.count('"name": "tool"') == 2 and made.text.count('"name": "zlib"') == 1
    write(tmp_path, {"recipes/toy/recipe.yaml": RECIPE})
    assert list(lockfile.read(run(tmp_path, tree=str(tmp_path / "tree")).path)) == ["1.0"], "1.1 is gone"


def test_a_setting_may_be_for_one_release(tmp_path: Path) -> None:
    settings = CMAKE["recipes/toy/lock.yaml"].replace(
        "{id: windows, ", "{id: windows, when: {release: '1.1'}, "
    )
    write(
        tmp_path,
        {**CMAKE, "recipes/toy/recipe.yaml": TWO, "recipes/toy/lock.yaml": settings, "files/4": "dll"},
    )
    cmake(tmp_path, folder=str(tmp_path / "files"), release="1.1")
    made = cmake(tmp_path, folder=str(tmp_path / "files"), release="1.0")
    assert set(sources(made)) - set(sources(made, "1.1")) == {"tool"}


def test_a_tree_is_for_one_release_which_is_named(tmp_path: Path) -> None:
    write(tmp_path, {**BAZEL, "recipes/toy/recipe.yaml": TWO})
    with pytest.raises(
        UsageError, match=r"--tree is for one release, and toy has 1\.0, 1\.1: name one, such as toy/1\.0"
    ):
        run(tmp_path, tree=str(tmp_path / "tree"))


@pytest.mark.parametrize(
    "path", sorted((ROOT / "recipes").glob("**/sources.lock.yaml")), ids=lambda path: path.parent.name
)
def test_every_lock_of_the_repository_is_as_it_would_be_written(path: Path) -> None:
    """The file's own form: what a hand changed in it shows."""
    name = path.relative_to(ROOT / "recipes").parts[0]
    assert lockfile.render(f"./inv lock {name}", lockfile.read(path)) == path.read_text(encoding="utf-8")
    assert tuple(lockfile.read(path)) == Catalogue(ROOT).folders(name)[path.parent]


@pytest.mark.parametrize(
    ("name", "variable"),
    [("tensorflow/1.15.5", "KILN_TEST_TENSORFLOW"), ("opencv/4.3.0", "KILN_TEST_OPENCV_4_3_0"),
     ("opencv/4.4.0", "KILN_TEST_OPENCV_4_4_0")],
)  # fmt: skip
def test_the_checked_in_lock_is_what_its_source_tree_gives(tmp_path: Path, name: str, variable: str) -> None:
    """The variable holds --tree; that with _REPOSITORIES behind it, --repositories."""
    tree = os.environ.get(variable)
    if not tree:
        pytest.skip(f"{variable} names no source tree to generate {name} from")
    first, version = name.split("/")
    repositories = os.environ.get(f"{variable}_REPOSITORIES", "")
    asked = lock.Request(first, version, tree=tree, repositories=repositories, check=True)
    home = Home.of({"KILN_HOME": str(tmp_path / "home")})
    settings = FetchSettings(offline=True)
    (made,) = lock.make_locks(Catalogue(ROOT), asked, home, settings, Notes())
    assert not made.changed


def test_a_locks_sources_are_part_of_the_recipe() -> None:
    for release, content in lockfile.read(ROOT / "recipes/opencv/sources.lock.yaml").items():
        loaded = {source.name for source in Catalogue(ROOT).load("opencv", release).sources}
        locked = {source.name for source in content.sources}
        assert locked and locked <= loaded


PARTS = """
        parts:
          - option: parts
            tree: toy
            files: modules/*/CMakeLists.txt
            groups:
              - {names: [java, "*_tests"], why: it is for others}
              - {names: ["gpu*"], when: {fast: true}}
        """
MODULES = {
    f"tree/modules/{name}/CMakeLists.txt": "" for name in ("core", "java", "gpu_blur", "gpu", "a_tests")
}


def test_the_parts_that_an_option_may_list_are_the_folders_of_the_trees(tmp_path: Path) -> None:
    write(tmp_path, {**CMAKE, **MODULES, "tree/modules/notes/README": ""})
    write(tmp_path, {"recipes/toy/lock.yaml": CMAKE["recipes/toy/lock.yaml"] + PARTS})
    made = cmake(tmp_path, folder=str(tmp_path / "files"))
    assert made.contents["1.0"].parts == (
        Parts("parts", ("a_tests", "java"), why="it is for others"),
        Parts("parts", ("gpu", "gpu_blur"), {"fast": (True,)}),
        Parts("parts", ("core",)),
    )
    assert lockfile.read(made.path)["1.0"].parts == made.contents["1.0"].parts


def test_a_tree_without_the_folders_and_a_tree_that_is_not_read_are_mistakes(tmp_path: Path) -> None:
    write(tmp_path, CMAKE)
    write(tmp_path, {"recipes/toy/lock.yaml": CMAKE["recipes/toy/lock.yaml"] + PARTS})
    with pytest.raises(UsageError, match=r"tree has no modules/\*/CMakeLists.txt"):
        cmake(tmp_path, folder=str(tmp_path / "files"))
    other = PARTS.replace("tree: toy", "tree: other")
    write(tmp_path, {"recipes/toy/lock.yaml": CMAKE["recipes/toy/lock.yaml"] + other})
    with pytest.raises(UsageError, match=r"lock.yaml:\d+: parts\[0\].tree: 'other' is not one of 'trees'"):
        cmake(tmp_path)


def test_parts_of_several_releases_are_there_once() -> None:
    def content(*names: str) -> lockfile.Content:
        return lockfile.Content(parts=(Parts("parts", names), Parts("parts", ("java",), why="it is off")))

    text = lockfile.render("./inv lock toy", {"1.0": content("a", "b"), "1.1": content("a", "b", "c")})
    assert json.loads(text.partition("\n")[2])["parts"] == [
        {"option": "parts", "names": ["a", "b"]},
        {"option": "parts", "why": "it is off", "names": ["java"]},
        {"option": "parts", "when": {"release": "1.1"}, "names": ["c"]},
    ]
