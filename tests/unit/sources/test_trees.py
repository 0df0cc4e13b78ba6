"""Archives that are gone while their trees are not: what stands in for them, and when."""

from __future__ import annotations

import hashlib
import io
import json
import os
import subprocess
from dataclasses import dataclass, replace
from pathlib import Path

import pytest
import rich.console

from kiln.archive import tree_digest, unpacker
from kiln.build import bundle
from kiln.commands import gc
from kiln.commands import plan as plan_command
from kiln.core.console import Console
from kiln.core.errors import SourceError
from kiln.core.home import Home
from kiln.plan import advice, planner
from kiln.plan.planner import Request
from kiln.recipe import Catalogue
from kiln.recipe.source import GitOrigin, Source, UrlOrigin
from kiln.sources import fetch, status, trees
from kiln.sources.obtained import Obtained
from kiln.sources.settings import FetchSettings
from kiln.sources.vault import Vault
from tests.support import repository
from tests.support.loopback import Notes

GONE = "https://gone.invalid/a/b-1.tar.gz"


@dataclass(frozen=True)
class Forge:
    """A mirrored repository with one commit, and the archive that was once published of it."""

    mirrors: str
    commit: str
    published: bytes
    tree: str

    @property
    def mirrors_path(self) -> str:
        return self.mirrors.replace("{owner}", "a").replace("{repo}", "b")

    @property
    def sha256(self) -> str:
        return hashlib.sha256(self.published).hexdigest()

    @property
    def git(self) -> GitOrigin:
        return GitOrigin("https://gone.invalid/a/b", self.commit, "b-1/", "tar.gz", self.sha256)

    @property
    def source(self) -> Source:
        """The published archive, with the tree that it holds."""
        return Source("b", (UrlOrigin(GONE, self.sha256), self.git), tree_hash=self.tree)

    def settings(self) -> FetchSettings:
        return FetchSettings(offline=True, git_mirrors=(self.mirrors,))


@pytest.fixture
def forge(tmp_path: Path) -> Forge:
    work, bare = tmp_path / "work", tmp_path / "mirrors" / "a" / "b.git"
    (work / "src").mkdir(parents=True)
    (work / "src" / "file.c").write_text("int x;\n" * 1000)
    (work / "configure").write_text("#!/bin/sh\n")
    (work / "configure").chmod(0o755)
    git = ["git", "-c", "user.name=a", "-c", "user.email=a@example", "-C", str(work)]
    for command in (["init", "-q"], ["add", "."], ["commit", "-q", "-m", "x"]):
        subprocess.run([*git, *command], check=True)
    subprocess.run(["git", "clone", "-q", "--bare", str(work), str(bare)], check=True)
    command = ["-c", "tar.tar.gz.command=gzip -cn1", "archive", "--format=tar.gz", "--prefix=b-1/", "HEAD"]
    published = subprocess.run([*git, *command], check=True, capture_output=True).stdout
    head = subprocess.run([*git, "rev-parse", "HEAD"], check=True, capture_output=True, text=True)
    (tmp_path / "published").write_bytes(published)
    unpacker.unpack(tmp_path / "published", tmp_path / "tree")
    digest = tree_digest(tmp_path / "tree")
    return Forge(f"{tmp_path}/mirrors/{{owner}}/{{repo}}.git", head.stdout.strip(), published, digest)


def obtain(source: Source, vault: Vault, settings: FetchSettings, notes: Notes | None = None) -> Obtained:
    (found,) = fetch.obtain([source], vault, settings, notes or Notes())
    return found


def tree_of(file: Path, folder: Path) -> str:
    unpacker.unpack(file, folder)
    return tree_digest(folder)


def test_without_acceptance_the_error_says_exactly_what_can_be_had(forge: Forge, tmp_path: Path) -> None:
    with pytest.raises(SourceError) as caught:
        obtain(forge.source, Vault(tmp_path / "vault"), forge.settings())
    assert f"but the recorded tree {forge.tree}: --accept-tree-hash builds from that" in str(caught.value)
    assert not list((tmp_path / "vault").glob("sha256/*/*"))


def test_an_accepted_tree_is_handed_over_as_an_archive_made_of_it(forge: Forge, tmp_path: Path) -> None:
    vault = Vault(tmp_path / "vault")
    found = obtain(forge.source.accepting_tree(), vault, forge.settings())
    assert found.path.read_bytes() != forge.published and found.source.file == "b-1.tar.gz"
    assert tree_of(found.path, tmp_path / "out") == forge.tree
    assert (tmp_path / "out" / "b-1" / "configure").stat().st_mode & 0o111
    assert found.origin.startswith("the tree of git: ")
    again = obtain(forge.source.accepting_tree(), vault, FetchSettings(offline=True))
    assert again.path == found.path
    (standing,) = status.survey([forge.source.accepting_tree()], vault, FetchSettings())
    assert standing.path == found.path


def test_an_accepted_tree_is_the_same_file_wherever_it_comes_from(forge: Forge, tmp_path: Path) -> None:
    one, other = Vault(tmp_path / "one"), Vault(tmp_path / "other")
    other.add(tmp_path / "published", forge.sha256)
    accepted = forge.source.accepting_tree()
    assert (
        obtain(accepted, one, forge.settings()).path.name
        == obtain(accepted, other, FetchSettings(offline=True)).path.name
    )


def test_another_tree_is_not_accepted(forge: Forge, tmp_path: Path) -> None:
    wrong = replace(forge.source, tree_hash="f" * 64).accepting_tree()
    with pytest.raises(SourceError, match=f"another tree, {forge.tree}, not ffff"):
        obtain(wrong, Vault(tmp_path / "vault"), forge.settings())


def test_a_pinned_tree_is_taken_from_its_commit_whatever_the_forges_archive_was(
    forge: Forge, tmp_path: Path
) -> None:
    inner = tree_digest(tmp_path / "tree" / "b-1")
    source = Source("b", (replace(forge.git, member="b-1"),), tree=inner)
    vault, notes = Vault(tmp_path / "vault"), Notes()
    found = obtain(source, vault, forge.settings(), notes)
    assert "but the right tree, which is used" in "".join(notes.notes)
    trees.unpack_tree(found, tmp_path / "out", 0)
    assert tree_digest(tmp_path / "out") == inner
    trees.unpack_tree(obtain(source, vault, FetchSettings(offline=True)), tmp_path / "again", 0)


def test_a_packed_tree_needs_no_acceptance(forge: Forge, tmp_path: Path) -> None:
    inner = tree_digest(tmp_path / "tree" / "b-1")
    source = Source("b", (replace(forge.git, member="b-1"),), tree=inner, packed=True, filename="b.zip")
    found = obtain(source, Vault(tmp_path / "vault"), forge.settings())
    assert found.path.read_bytes()[:2] == b"PK"
    assert tree_of(found.path, tmp_path / "out") == inner


RECORDED = repository.RECIPE.replace("  - name: toy\n", f'  - name: toy\n    tree_hash: "{"d" * 64}"\n', 1)


def test_acceptance_changes_the_key_the_folder_and_what_the_plan_says(tmp_path: Path) -> None:
    root = repository.make(tmp_path, RECORDED)
    exact, accepted = (
        planner.make(Catalogue(root), Request("toy", accept_tree_hash=yes)) for yes in (False, True)
    )
    assert exact.key == planner.make(Catalogue(repository.make(tmp_path / "plain")), Request("toy")).key
    assert exact.key != accepted.key and exact.folder != accepted.folder
    (pin,) = json.loads(accepted.to_json())["inputs"]["sources"]
    assert (pin["digest"], pin["form"]) == ("d" * 64, "packed tree")
    assert json.loads(accepted.to_json())["sources"][0]["instead_of"] == "a" * 64
    assert accepted.environment["KILN_OTHER_ARCHIVES"] == "toy-1.0.tar.gz"
    assert "KILN_OTHER_ARCHIVES" not in exact.environment
    output = io.StringIO()
    plan_command.show(
        accepted, advice(Catalogue(root), accepted), Console(rich.console.Console(file=output, width=300))
    )
    assert f"packed tree toy, instead of the archive {'a' * 64}" in output.getvalue()


def test_acceptance_of_what_no_source_records_changes_nothing(tmp_path: Path) -> None:
    root = repository.make(tmp_path)
    assert (
        planner.make(Catalogue(root), Request("toy", accept_tree_hash=True)).to_json()
        == planner.make(Catalogue(root), Request("toy")).to_json()
    )


def test_a_bundle_carries_an_accepted_tree_and_it_is_checked_where_it_arrives(
    forge: Forge, tmp_path: Path
) -> None:
    home = Home.of({"KILN_HOME": str(tmp_path / "home")})
    console = Console(rich.console.Console(file=io.StringIO()))
    source = forge.source.accepting_tree()
    planned = replace(
        planner.make(Catalogue(repository.make(tmp_path / "root")), Request("toy")), sources=(source,)
    )
    found = obtain(source, Vault(tmp_path / "vault"), forge.settings())
    bundle.write(planned, [found], [], tmp_path / "toy.tar")
    bundle.take(tmp_path / "toy.tar", planned, Vault(home.sources), None, home, console)
    arrived = obtain(source, Vault(home.sources), FetchSettings(offline=True))
    assert arrived.path.name == found.path.name and arrived.origin == "the bundle toy.tar"

    lying = replace(source, tree="f" * 64, tree_hash="f" * 64)
    bundle.write(planned, [replace(found, source=lying)], [], tmp_path / "lie.tar")
    with pytest.raises(SourceError, match=f"is the tree {forge.tree}, not ffff"):
        bundle.take(
            tmp_path / "lie.tar", replace(planned, sources=(lying,)), Vault(home.sources), None, home, console
        )


def test_gc_keeps_the_archives_of_trees_that_recipes_record(forge: Forge, tmp_path: Path) -> None:
    home = Home.of({"KILN_HOME": str(tmp_path / "home")})
    vault = Vault(home.sources)
    kept = obtain(forge.source.accepting_tree(), vault, forge.settings()).path
    recorded = RECORDED.replace("d" * 64, forge.tree)
    console = Console(rich.console.Console(file=io.StringIO()))
    nowhere = {"DOCKER_HOST": "unix:///nowhere"}
    gc.collect_garbage(
        Catalogue(repository.make(tmp_path / "root", recorded)), home, nowhere, console, 0, False
    )
    assert kept.exists()
    gc.collect_garbage(Catalogue(repository.make(tmp_path / "root")), home, nowhere, console, 0, False)
    assert not kept.exists() and vault.packed(forge.tree, "tar.gz") is None


def test_a_prepared_tree_is_left_as_if_it_had_been_unpacked(tmp_path: Path) -> None:
    made = tmp_path / "b"
    made.mkdir()
    (made / "generated.c").write_text("int y;\n")
    (made / "generated.c").chmod(0o600)
    source = Source("b", (UrlOrigin(GONE, "a" * 64),), tree=tree_digest(made), prepare="scripts/b.sh")
    trees.settle_prepared(source, made, 1000)
    assert [path.name for path in tmp_path.iterdir()] == ["b"]
    assert (made / "generated.c").stat().st_mtime == 1000
    assert (made / "generated.c").stat().st_mode & 0o777 == 0o644
    os.truncate(made / "generated.c", 1)
    with pytest.raises(SourceError, match=r"b as scripts/b\.sh leaves it is the tree"):
        trees.settle_prepared(source, made, 1000)


def test_a_plan_runs_the_scripts_that_prepare_before_the_steps_of_the_recipe(tmp_path: Path) -> None:
    text = repository.RECIPE.replace(
        "  - name: toy\n", f'  - name: toy\n    tree: "{"d" * 64}"\n    prepare: scripts/ready.sh\n', 1
    )
    root = repository.make(tmp_path, text, **{"docker/opencv/ready.sh": "true\n"})
    before = planner.make(Catalogue(root), Request("toy"))
    steps = [(step.name, step.script) for step in before.steps]
    assert steps[1:3] == [("prepare-toy", "scripts/ready.sh"), ("compile", "scripts/compile.sh")]
    (root / "docker/opencv/ready.sh").write_text("false\n")
    assert planner.make(Catalogue(root), Request("toy")).key != before.key


def without_object(forge: Forge, tmp_path: Path, path: str) -> None:
    """Remove a file's content from the mirror: large ones are lacking in some."""
    bare = tmp_path / "mirrors" / "a" / "b.git"
    git = ["git", "-C", str(bare)]
    named = subprocess.run([*git, "rev-parse", f"HEAD:{path}"], check=True, capture_output=True, text=True)
    (bare / "objects" / named.stdout[:2] / named.stdout.strip()[2:]).unlink()


@pytest.mark.parametrize("member", ["b-1", "b-1/src"])
def test_a_tree_without_a_file_is_had_from_a_mirror_that_lacks_it(
    forge: Forge, tmp_path: Path, member: str
) -> None:
    large = "src/file.c" if member == "b-1" else "file.c"
    (tmp_path / "work" / "src" / "other.c").write_text("int y;\n")
    git = ["git", "-c", "user.name=a", "-c", "user.email=a@example", "-C", str(tmp_path / "work")]
    for command in (["add", "."], ["commit", "-q", "-m", "y"], ["push", "-q", forge.mirrors_path, "HEAD"]):
        subprocess.run([*git, *command], check=True)
    head = subprocess.run([*git, "rev-parse", "HEAD"], check=True, capture_output=True, text=True)
    kept = tmp_path / "kept"
    published = subprocess.run(
        [*git, "archive", "--format=tar.gz", "--prefix=b-1/", "HEAD"], check=True, capture_output=True
    ).stdout
    (tmp_path / "whole").write_bytes(published)
    unpacker.unpack(tmp_path / "whole", kept, member, without=[large])
    assert not (kept / large).exists() and any(kept.rglob("other.c"))
    origin = GitOrigin(
        "https://gone.invalid/a/b", head.stdout.strip(), "b-1/", "tar.gz", "a" * 64, member=member
    )
    source = Source("b", (origin,), tree=tree_digest(kept), without=(large,))

    without_object(forge, tmp_path, "src/file.c")
    notes = Notes()
    vault = Vault(tmp_path / "vault")
    found = obtain(source, vault, forge.settings(), notes)
    assert "but the right tree, which is used" in "".join(notes.notes)
    trees.unpack_tree(found, tmp_path / "out", 0)
    assert tree_digest(tmp_path / "out") == source.tree

    whole = replace(source, origins=(UrlOrigin(GONE, hashlib.sha256(published).hexdigest(), member=member),))
    other = Vault(tmp_path / "other")
    other.add(tmp_path / "whole", whole.origins[0].sha256)
    trees.unpack_tree(obtain(whole, other, FetchSettings(offline=True)), tmp_path / "same", 0)
    assert tree_digest(tmp_path / "same") == source.tree
    assert not (tmp_path / "same" / large).exists()


def test_a_whole_tree_is_not_had_from_a_mirror_that_lacks_a_file(forge: Forge, tmp_path: Path) -> None:
    inner = tree_digest(tmp_path / "tree" / "b-1")
    without_object(forge, tmp_path, "src/file.c")
    source = Source("b", (replace(forge.git, member="b-1"),), tree=inner)
    with pytest.raises(SourceError, match="git says"):
        obtain(source, Vault(tmp_path / "vault"), forge.settings())
