from __future__ import annotations

import textwrap
from collections.abc import Mapping
from pathlib import Path

import pytest

from kiln.core.errors import UsageError
from kiln.lock.starlark.workspace import External, Workspace, needed_externals, read_workspace

HASHES = {letter: letter * 64 for letter in "abcdef"}


def write(root: Path, files: Mapping[str, str]) -> Path:
    for name, text in files.items():
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        for letter, sha256 in HASHES.items():
            text = text.replace(f"SHA_{letter.upper()}", sha256)
        path.write_text(textwrap.dedent(text), encoding="utf-8")
    return root


def read(root: Path, workspace: str, files: Mapping[str, str] | None = None, **trees: Path) -> Workspace:
    write(root, {"WORKSPACE": workspace, **(files or {})})
    return read_workspace(root, lambda externals: trees.get(externals[0].repository))


def test_a_rule_of_the_trees_own_with_urls_from_variables_is_a_download(tmp_path: Path) -> None:
    files = {
        "third_party/fetch.bzl": "fetch = repository_rule(implementation = None)",
        "deps.bzl": """
            load("//third_party:fetch.bzl", "fetch")
            VERSION = "1.2"
            HOSTS = ("one.example", "two.example")
            URLS = ["https://{}/thing-%s.tgz".format(host) % VERSION for host in HOSTS]

            def deps(path_prefix = ""):
                if path_prefix:
                    fail("no prefix")
                fetch(
                    name = "thing",
                    urls = URLS + URLS[:1],
                    sha256 = "SHA_A",
                    strip_prefix = "thing-" + VERSION + "/",
                    build_file = str(Label("//third_party:thing.BUILD")),
                )
            """,
    }
    workspace = read(tmp_path, "load('//:deps.bzl', 'deps')\ndeps()", files)
    assert workspace.externals == (
        External(
            name="thing",
            repository="thing",
            urls=("https://one.example/thing-1.2.tgz", "https://two.example/thing-1.2.tgz"),
            sha256=HASHES["a"],
            strip_prefix="thing-1.2",
        ),
    )


def test_a_rule_may_download_several_files_each_with_its_own_hash(tmp_path: Path) -> None:
    text = """
        load("@bazel_tools//tools:java.bzl", "java_import_external", "filegroup_external", "http_file")
        http_file(name = "plain", url = "https://x.example/plain.bin", sha256 = "SHA_A")
        java_import_external(
            name = "jar",
            jar_urls = ["https://x.example/a.jar"],
            jar_sha256 = "SHA_B",
            srcjar_urls = ["https://x.example/a-src.jar"],
            srcjar_sha256 = "SHA_C",
        )
        filegroup_external(
            name = "texts",
            sha256_urls = {"SHA_D": ["https://x.example/d.txt"], "SHA_E": ["https://x.example/e.txt"]},
        )
        http_file(name = "nothing", urls = [])
        """
    workspace = read(tmp_path, text)
    assert {each.name: (each.sha256[0], each.urls[0][-5:]) for each in workspace.externals} == {
        "plain": ("a", "n.bin"),
        "jar-a.jar": ("b", "a.jar"),
        "jar-a-src.jar": ("c", "c.jar"),
        "texts-d.txt": ("d", "d.txt"),
        "texts-e.txt": ("e", "e.txt"),
    }
    assert workspace.local == {"nothing": "http_file"}


def test_a_checkout_has_its_repository_and_commit(tmp_path: Path) -> None:
    text = """
        load("@bazel_tools//tools/build_defs/repo:git.bzl", "git_repository")
        git_repository(name = "by_commit", remote = "https://x.example/r.git", commit = "c0ffee")
        git_repository(name = "by_tag", remote = "https://x.example/r.git", tag = "v1")
        local_repository(name = "beside", path = "../beside")
        bind(name = "alias", actual = "@by_tag//:x")
        """
    workspace = read(tmp_path, text)
    assert [(each.name, each.remote, each.reference) for each in workspace.externals] == [
        ("by_commit", "https://x.example/r.git", "c0ffee"),
        ("by_tag", "https://x.example/r.git", "v1"),
    ]
    assert workspace.local == {"beside": "local_repository", "alias": "bind"}


def test_of_one_name_the_first_group_of_statements_counts_and_in_it_the_last(tmp_path: Path) -> None:
    text = """
        load("@bazel_tools//:http.bzl", "http_file")
        http_file(name = "x", url = "https://x.example/1", sha256 = "SHA_A")
        http_file(name = "x", url = "https://x.example/2", sha256 = "SHA_B")
        load("//:later.bzl", "later")
        later()
        """
    later = "def later():\n    native.http_file(name = 'x', url = 'https://x.example/3', sha256 = 'SHA_C')"
    workspace = read(tmp_path, text, {"later.bzl": later})
    assert [each.urls for each in workspace.externals] == [("https://x.example/2",)]


def test_what_another_repositorys_macro_declares_is_read_from_its_tree(tmp_path: Path) -> None:
    rules = write(
        tmp_path / "rules",
        {
            "defs.bzl": """
                load("@bazel_tools//tools/build_defs/repo:http.bzl", "http_archive")
                load("@rules//lib:unlisted.bzl", "urls")
                load("@elsewhere//:nowhere.bzl", "helper")

                _helped = helper(1)

                def rules_dependencies(omit_b = False):
                    if not native.existing_rule("a"):
                        http_archive(name = "a", urls = urls("a"), sha256 = "SHA_A")
                    if not omit_b:
                        http_archive(name = "b", urls = urls("b"), sha256 = "SHA_B")
                """,
            "lib/unlisted.bzl": "def urls(name):\n    return ['https://x.example/%s.zip' % name]",
        },
    )
    text = """
        load("@bazel_tools//:http.bzl", "http_archive")
        http_archive(name = "rules", url = "https://x.example/rules.zip", sha256 = "SHA_C")
        http_archive(name = "a", url = "https://x.example/own.zip", sha256 = "SHA_D")
        load("@rules//:defs.bzl", "rules_dependencies")
        rules_dependencies()
        """
    workspace = read(tmp_path / "main", text, rules=rules)
    assert [(each.name, each.urls[0]) for each in workspace.externals] == [
        ("a", "https://x.example/own.zip"),
        ("b", "https://x.example/b.zip"),
        ("rules", "https://x.example/rules.zip"),
    ]
    assert workspace.blocked_by() == ()


def test_a_workspace_is_blocked_by_the_downloads_whose_macros_it_calls(tmp_path: Path) -> None:
    text = """
        load("@bazel_tools//:http.bzl", "http_archive")
        http_archive(name = "rules", url = "https://x.example/rules.zip", sha256 = "SHA_C")
        local_thing(name = "made_here")
        load("@rules//:defs.bzl", "rules_dependencies", "unused")
        rules_dependencies()
        load("@made_here//:defs.bzl", "more")
        more()
        """
    workspace = read(tmp_path, text)
    assert workspace.blocked_by() == ("rules",)
    assert [str(macro) for macro, _ in workspace.unknown] == ["rules_dependencies", "more"]


def test_the_workspaces_own_name_is_the_tree_itself(tmp_path: Path) -> None:
    files = {"a.bzl": "def f():\n    native.http_file(name = 'x', url = 'https://x.example/x')"}
    workspace = read(tmp_path, "workspace(name = 'me')\nload('@me//:a.bzl', 'f')\nf()", files)
    assert [(each.name, each.sha256) for each in workspace.externals] == [("x", "")]


@pytest.mark.parametrize(
    ("attributes", "told"),
    [
        ("url = 'https://x.example/x', sha256 = 'abc'", "x has 'abc' for a sha256"),
        ("url = thing, sha256 = ''", "what x downloads depends on thing, which is not known"),
        ("urls = [thing + '/x']", "what x downloads depends on thing, which is not known"),
    ],
)
def test_a_download_that_is_not_known_is_an_error_with_its_place(
    tmp_path: Path, attributes: str, told: str
) -> None:
    files = {"a.bzl": f"def f():\n    native.http_file(name = 'x', {attributes})"}
    with pytest.raises(UsageError) as caught:
        read(tmp_path, "load(':a.bzl', 'f')\nf()", files)
    assert str(caught.value).startswith(f"{tmp_path}/a.bzl:2: {told}")


@pytest.mark.parametrize(
    "text",
    [
        "@one//:a\n@one//b:c.h\n//main:d\n@two-x.y//e:f (g)\n//external:three\n",
        "# what it needs\none\ntwo-x.y  # here\nthree\n",
        "resolved = [\n  {'original_attributes': {'name': 'one'}},\n  {\"original_attributes\": {\"name\": "
        "\"two-x.y\"}},\n  {'original_attributes': {'name': 'three', 'urls': ['@four//:x']}},\n]\n",
    ],
)
def test_needed_repositories_are_read_from_a_query_a_resolved_file_or_a_list(text: str) -> None:
    assert needed_externals(text) == {"one", "two-x.y", "three"}
