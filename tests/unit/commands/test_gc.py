from __future__ import annotations

import io
import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
import rich.console

from kiln.commands import gc
from kiln.core.console import Console
from kiln.core.errors import KilnError, UsageError
from kiln.core.home import Home
from kiln.plan import planner
from kiln.plan.planner import Request
from kiln.recipe import Catalogue
from kiln.sources.vault import Vault
from tests.support import repository
from tests.support.repository import ROOT

NO_ENGINE = {"DOCKER_HOST": "unix:///nowhere/docker.sock"}
NEEDED, UNKNOWN, OTHER = "a" * 64, "e" * 64, "b" * 64


@pytest.fixture
def root(tmp_path: Path) -> Path:
    return repository.make(tmp_path / "root")


@pytest.fixture
def home(tmp_path: Path) -> Home:
    return Home.of({"KILN_HOME": str(tmp_path / "home")})


def put(path: Path, text: str = "x") -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)
    return path


def finished(home: Home, key: str, variant: str, age: int) -> Path:
    folder = home.results / key
    put(folder / "plan.json", json.dumps({"folder": variant}))
    os.utime(folder, (10**9 - age, 10**9 - age))
    return folder


def run(root: Path, home: Home, dry: bool = False, results: int = 0) -> dict[Path, bool]:
    """What was found, and whether it is kept."""
    console = Console(rich.console.Console(file=io.StringIO()))
    items, spared = gc.collect_garbage(Catalogue(root), home, NO_ENGINE, console, results, dry)
    assert spared == []
    return {item.paths[0]: item.keep for item in items}


def test_the_vault_keeps_what_any_recipe_names_whatever_its_variant(root: Path, home: Home) -> None:
    vault = Vault(home.sources)
    for sha256 in (NEEDED, OTHER, UNKNOWN):
        put(vault.path(sha256))
        vault.record_origin(sha256, "somewhere")
        vault.record_tree(sha256, None, "d" * 64)
    assert run(root, home)[vault.path(UNKNOWN)] is False
    assert vault.path(NEEDED).exists() and vault.path(OTHER).exists()
    assert not vault.path(UNKNOWN).exists()
    assert (vault.origin_of(UNKNOWN), vault.tree_of(UNKNOWN, None)) == (None, None)
    assert (vault.origin_of(NEEDED), vault.tree_of(NEEDED, None)) == ("somewhere", "d" * 64)


def test_a_member_of_an_archive_is_needed_as_well_as_the_archive(tmp_path: Path, home: Home) -> None:
    member = repository.RECIPE.replace("        size: 3\n", "        member: package/tool\n")
    member = member.replace("  - name: toy\n", f'  - name: toy\n    sha256: "{"c" * 64}"\n')
    root = repository.make(tmp_path / "root", member)
    vault = Vault(home.sources)
    put(vault.path("c" * 64))
    put(vault.path(NEEDED))
    assert run(root, home) == {vault.path("c" * 64): True, vault.path(NEEDED): True}


def test_half_a_download_is_kept_only_while_it_can_be_gone_on_with(root: Path, home: Home) -> None:
    vault = Vault(home.sources)
    partials = {sha256: put(vault.partial(sha256)) for sha256 in (NEEDED, OTHER, UNKNOWN)}
    put(vault.path(OTHER))
    run(root, home)
    assert [partials[sha256].exists() for sha256 in (NEEDED, OTHER, UNKNOWN)] == [True, False, False]


def test_leftovers_of_stopped_processes_go(root: Path, home: Home) -> None:
    left = [
        put(home.work / "base.tar"), put(home.builds / "k" / "build.log"),
        put(home.sources / "work" / "x" / "y"), put(home.results / ".partial-k" / "plan.json", "{}"),
        put(home.interpreters / "a-b.partial" / "bin" / "python"), put(home.untested / ".partial-k" / "plan.json"),
    ]  # fmt: skip
    (home.builds / "k").chmod(0o500)
    run(root, home)
    assert [path.exists() for path in left] == [False] * len(left)
    assert home.builds.is_dir() and home.work.is_dir()


def test_finished_builds_are_kept_unless_it_is_asked_for_the_newest_alone(root: Path, home: Home) -> None:
    old, new = finished(home, "k1", "toy/1.0/cpu", 20), finished(home, "k2", "toy/1.0/cpu", 10)
    other = finished(home, "k3", "toy/1.0/fast", 30)
    run(root, home)
    assert [path.exists() for path in (old, new, other)] == [True, True, True]
    run(root, home, results=1)
    assert [path.exists() for path in (old, new, other)] == [False, True, True]


def test_an_interpreter_stays_as_long_as_a_variant_uses_it(tmp_path: Path, home: Home) -> None:
    cpython = (ROOT / "recipes/shared/cpython.yaml").read_text()
    recipe = repository.RECIPE.replace("options:", "include: [shared/cpython.yaml]\noptions:", 1)
    root = repository.make(tmp_path / "root", recipe, **{"recipes/shared/cpython.yaml": cpython})
    used = home.interpreters / planner.make(Catalogue(root), Request("toy", python="3.7")).interpreter_name
    put(used / "bin" / "python3.7")
    put(home.interpreters / "0000-0000" / "bin" / "python3.7")
    found = run(root, home)
    assert found[used] is True and used.exists()
    assert found[home.interpreters / "0000-0000"] is False


def test_without_being_told_nothing_is_removed_and_all_is_shown(root: Path, home: Home) -> None:
    unneeded = put(Vault(home.sources).path(UNKNOWN), "x" * 1_500_000)
    put(Vault(home.sources).path(NEEDED))
    environment = {**os.environ, **NO_ENGINE, "KILN_HOME": str(home.path), "NO_COLOR": "1"}
    (root / "tasks.py").write_text((ROOT / "tasks.py").read_text())
    (root / "kiln").symlink_to(ROOT / "kiln")
    command = [sys.executable, str(root / "tasks.py"), "gc"]
    shown = subprocess.run(command, env=environment, capture_output=True, text=True, check=True).stdout
    assert unneeded.exists()
    assert UNKNOWN[:16] in shown and "no recipe names it" in shown and "1 to remove, 1.5 MB" in shown
    assert "needed by toy 1.0" in shown and "--no-dry-run" in shown
    subprocess.run([*command, "--no-dry-run"], env=environment, capture_output=True, check=True)
    assert not unneeded.exists()


def test_beside_a_running_build_nothing_is_removed(root: Path, home: Home) -> None:
    unneeded = put(Vault(home.sources).path(UNKNOWN))
    with home.in_use(Console(rich.console.Console(file=io.StringIO()))):
        assert run(root, home, dry=True)[unneeded] is False
        with pytest.raises(KilnError, match="another kiln process is at work"):
            run(root, home)
        assert unneeded.exists()
    run(root, home)
    assert not unneeded.exists()


def test_two_builds_use_a_home_side_by_side(home: Home) -> None:
    console = Console(rich.console.Console(file=io.StringIO()))
    with home.in_use(console), home.in_use(console), home.alone() as alone:
        assert not alone
    with home.alone() as alone:
        assert alone


def test_a_recipe_that_cannot_be_read_stops_everything(root: Path, home: Home) -> None:
    unneeded = put(Vault(home.sources).path(UNKNOWN))
    put(root / "recipes/other/recipe.yaml", "name: [")
    with pytest.raises(UsageError):
        run(root, home)
    assert unneeded.exists()


def test_images_that_cannot_be_looked_at_are_told(root: Path, home: Home) -> None:
    output = io.StringIO()
    console = Console(rich.console.Console(file=output, width=200))
    items, _ = gc.collect_garbage(Catalogue(root), home, NO_ENGINE, console, 0, True)
    assert "images are not looked at" in output.getvalue()
    gc.show(items, [], False, console)
    assert "0 to remove" in output.getvalue()


def test_an_environment_stays_while_its_lock_is_in_the_checkout(root: Path, home: Home) -> None:
    put(root / "requirements" / "tool.txt", "tool==1\n")
    current = put(home.environments / "tool-1" / "kiln-lock.txt", "tool==1\n").parent
    outdated = put(home.environments / "tool-0" / "kiln-lock.txt", "tool==0\n").parent
    unfinished = put(home.environments / "tool-2" / "bin" / "python").parent.parent
    found = run(root, home)
    assert [found[path] for path in (current, outdated, unfinished)] == [True, False, False]
    assert current.exists()
    assert not outdated.exists()
    assert not unfinished.exists()


def test_the_vault_keeps_the_source_of_a_suite_that_is_no_recipes(root: Path, home: Home) -> None:
    origin = f"{{url: 'https://suite.example/it.tar.gz', sha256: {UNKNOWN}}}"
    text = f"sources:\n  - name: suite\n    origins:\n      - {origin}\n"
    put(root / "layers" / "export" / "sources.yaml", text)
    path = put(Vault(home.sources).path(UNKNOWN))
    assert run(root, home)[path] is True


def test_what_stands_in_for_a_wheel_in_a_published_set_is_needed(tmp_path: Path, home: Home) -> None:
    listed = f"""\
        sets:
          - name: all
            summary: all
            recipes: [toy/1.0]
            python: ["3.11"]
            device: [cpu]
            published:
              - recipe: toy
                source:
                  name: toy
                  origins: [{{pypi: toy, file: toy-1.0-py3-none-any.whl, sha256: "{UNKNOWN}"}}]
        """
    root = repository.make(tmp_path / "root", **{"requirements/sets.yaml": listed})
    published = put(Vault(home.sources).path(UNKNOWN))
    assert run(root, home)[published] is True
    assert published.exists()


def test_of_the_caches_what_was_unused_for_longest_goes_where_it_is_too_large(
    root: Path, home: Home, monkeypatch: pytest.MonkeyPatch
) -> None:
    own = home.ccache / planner.make(Catalogue(root), Request("toy")).cache_name
    old, new = (put(own / "bazel" / "gcc" / name, "x" * 600) for name in ("old", "new"))
    os.utime(old, (1000, 1000))
    monkeypatch.setitem(NO_ENGINE, "KILN_CACHE_SIZE", "1K")
    assert run(root, home, dry=True) == {own: True, old: False}
    assert old.exists()
    assert run(root, home)[old] is False
    assert (old.exists(), new.exists()) == (False, True)


def test_the_cache_of_no_recipe_or_toolchain_goes_and_so_does_one_that_all_shared(
    root: Path, home: Home
) -> None:
    own = home.ccache / planner.make(Catalogue(root), Request("toy")).cache_name
    kept = put(own / "a" / "object")
    other = put(own.with_name(own.name.replace("toy", "gone")) / "a" / "object")
    shared = [put(home.ccache / "ccache.conf"), put(home.ccache / "bazel" / "x" / "y")]
    put(home.ccache / f"{own.name}@1a2b3c4d" / "with a shared cache")
    (home.ccache / "0").symlink_to(kept.parent)
    run(root, home)
    assert kept.exists() and not other.exists()
    assert sorted(path.name for path in home.ccache.iterdir()) == [own.name, f"{own.name}@1a2b3c4d"]
    assert not any(path.exists() for path in shared)
