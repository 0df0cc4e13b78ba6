from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import cast

import pytest

from kiln.build import BuildRunner, Workspace
from kiln.core import Home
from kiln.engine import Engine, Images
from kiln.plan import VENVS_SCRIPT, ContainerStep, Plan, Request, planner, unshared_name
from kiln.recipe import Catalogue
from kiln.shared import (
    CacheClient,
    Executor,
    ExecutorClient,
    HelpedBuild,
    Helper,
    Others,
    SharedCache,
    Used,
    store_of,
)
from kiln.sources import Obtained
from tests.support import repository
from tests.support.remote_server import remote_server

RECIPE = repository.RECIPE.replace(
    "steps:",
    """\
  - {name: tree, tree: "TTTT", origins: [{url: "https://toy.example/tree.tar.gz", sha256: "TTTT", member: tree}]}
  - {name: suite, use: smoke, origins: [{pypi: suite, file: suite-1.0-py3-none-any.whl, sha256: "SSSS"}]}
steps:""".replace("TTTT", "c" * 64).replace("SSSS", "d" * 64),
)


@pytest.fixture
def plan(tmp_path: Path) -> Plan:
    return planner.make(Catalogue(repository.make(tmp_path / "root", RECIPE)), Request("toy"))


@pytest.fixture
def runner(tmp_path: Path, plan: Plan) -> BuildRunner:
    """A runner of a build that has not begun: there is no container yet, so no engine either."""
    obtained = tuple(
        Obtained(source, tmp_path / source.name, "", source.origins[0]) for source in plan.sources
    )
    folder = tmp_path / "build"
    workspace = Workspace(
        tmp_path / "root", plan, Images("runtime", "toolchain"), cast(Engine, None),
        Home(tmp_path / "home"), obtained, folder, folder / "build.log",
    )  # fmt: skip
    return BuildRunner(workspace, jobs=3)


def targets(runner: BuildRunner, step: str) -> dict[str, bool]:
    """Where the mounts of a step are, and whether it may write there."""
    script = VENVS_SCRIPT if step == "python" else f"scripts/{step}.sh"
    mounts = runner.mounts(ContainerStep("compile", step, script, "toolchain"))
    return {mount.target: mount.writable for mount in mounts}


def test_a_step_that_compiles_reads_the_sources_and_writes_to_its_folders_and_the_caches(
    runner: BuildRunner,
) -> None:
    mounts = targets(runner, "compile")
    assert {target for target, writable in mounts.items() if writable} == {
        "/kiln/build", "/kiln/out", "/kiln/ccache",
    }  # fmt: skip
    assert {"/kiln/files/toy-1.0.tar.gz", "/kiln/trees/tree", "/kiln/scripts", "/kiln/common"} < set(mounts)


def test_what_runs_foreign_code_before_the_compile_has_no_cache(runner: BuildRunner, plan: Plan) -> None:
    own = {
        step.name: runner.environment(step)
        for step in plan.steps
        if step.name in ("compile", "repair", "python")
    }
    assert "CCACHE_DISABLE" not in own["compile"] and own["compile"]["CCACHE_COMPILERCHECK"] == "content"
    assert own["compile"]["CCACHE_MAXSIZE"] == "20000M"
    assert own["python"]["CCACHE_DISABLE"] == own["repair"]["CCACHE_DISABLE"] == "1"
    assert not [
        step
        for step in ("patch", "python", "prepare-tree", "repair")
        if "/kiln/ccache" in targets(runner, step)
    ]


def test_a_cache_is_of_one_recipe_and_one_toolchain_and_interpreters_have_their_own(
    tmp_path: Path, runner: BuildRunner
) -> None:
    def cache(runner: BuildRunner, step: str) -> Path:
        (found,) = (
            mount.source
            for mount in runner.mounts(ContainerStep("compile", step, f"scripts/{step}.sh", "toolchain"))
            if mount.target == "/kiln/ccache"
        )
        return found

    text = RECIPE.replace("name: toy", "name: other", 1)
    other = repository.make(tmp_path / "other", RECIPE, **{"recipes/other/recipe.yaml": text})
    planned = planner.make(Catalogue(other), Request("other"))
    beside = BuildRunner(replace(runner.workspace, plan=planned), jobs=3)
    assert cache(runner, "compile") != cache(beside, "compile")
    assert cache(runner, "cpython") == cache(beside, "cpython") != cache(runner, "compile")


def test_only_the_step_that_patches_writes_to_the_trees(runner: BuildRunner) -> None:
    assert targets(runner, "patch")["/kiln/trees/tree"]
    assert not targets(runner, "compile")["/kiln/trees/tree"]


def test_a_build_does_not_see_what_only_its_smoke_suite_reads(runner: BuildRunner) -> None:
    assert not [target for target in targets(runner, "compile") if "suite" in target]


def test_the_interpreter_is_compiled_without_a_tree_for_a_run_that_has_none(runner: BuildRunner) -> None:
    assert not [target for target in targets(runner, "cpython") if target.startswith("/kiln/trees")]


def test_only_the_steps_that_finish_a_wheel_know_its_build_key(runner: BuildRunner, plan: Plan) -> None:
    def variables(station: str) -> str:
        return str(runner.environment(ContainerStep(station, "x", "scripts/x.sh", "toolchain")))  # type: ignore[arg-type]

    assert plan.key not in variables("compile")
    assert plan.key in variables("wheel")


def test_with_a_shared_cache_the_recipes_own_steps_have_its_sockets_and_a_local_cache_of_their_own(
    tmp_path: Path, runner: BuildRunner
) -> None:
    cache = SharedCache("http://cache.example", login="me:secret")
    workspace = replace(runner.workspace, shared=Others(cache).name)
    client = CacheClient(cache, "toy", store_of(cache), tmp_path, print)
    shared = BuildRunner(workspace, jobs=3, others=Used(client))
    with_it = {step: targets(shared, step) for step in ("compile", "python", "patch", "cpython")}
    assert [step for step, found in with_it.items() if "/kiln/cache" in found] == ["compile"]
    assert not with_it["compile"]["/kiln/cache"] and "/kiln/cache" not in targets(runner, "compile")
    variables = str(
        shared.environment(ContainerStep("compile", "compile", "scripts/compile.sh", "toolchain"))
    )
    assert "redis+unix:/kiln/cache/redis" in variables and "read-only" in variables
    assert "secret" not in variables and "cache.example" not in variables
    assert workspace.cache != runner.workspace.cache
    assert unshared_name(workspace.cache.name) == runner.workspace.cache.name
    assert workspace.interpreter_cache == runner.workspace.interpreter_cache


def test_with_an_executor_the_recipes_own_steps_have_its_socket_and_know_neither_address_nor_login(
    runner: BuildRunner,
) -> None:
    with remote_server() as server:
        client = ExecutorClient.of(Executor(f"{server.url}/main", "me:secret"), "a toolchain", print)
    remote = BuildRunner(runner.workspace, jobs=3, others=Used(executor=client))
    steps = ("compile", "python", "patch", "cpython")
    assert [step for step in steps if "/kiln/cache" in targets(remote, step)] == ["compile"]
    variables = remote.environment(ContainerStep("compile", "compile", "scripts/compile.sh", "toolchain"))
    assert variables["KILN_REMOTE_EXECUTOR"] == "/kiln/cache/grpc"
    assert (variables["KILN_REMOTE_INSTANCE"], variables["KILN_REMOTE_TOOLCHAIN"]) == ("main", "a toolchain")
    assert "secret" not in str(variables) and "127.0.0.1" not in str(variables)


def test_with_distcc_the_recipes_own_steps_have_its_programs_and_as_many_jobs_as_the_machines(
    tmp_path: Path, runner: BuildRunner
) -> None:
    (tmp_path / "distcc-connect").touch()
    helpers = (Helper("one.example", 3632, 2), Helper("two.example", 3632, 6))
    helped = HelpedBuild(helpers, tmp_path, "a toolchain", print)
    own = BuildRunner(runner.workspace, jobs=3, others=Used(helped=helped))
    steps = ("compile", "python", "patch", "cpython")
    assert [step for step in steps if "/kiln/worker" in targets(own, step)] == ["compile"]
    variables = own.environment(ContainerStep("compile", "compile", "scripts/compile.sh", "toolchain"))
    assert (variables["KILN_JOBS"], variables["DISTCC_HOSTS"]) == ("8", "@0/2 @1/6")
    assert variables["CCACHE_PREFIX"] == "/kiln/worker/distcc" and "example" not in str(variables)
    other = own.environment(ContainerStep("compile", "python", VENVS_SCRIPT, "toolchain"))
    assert other["KILN_JOBS"] == "3" and "CCACHE_PREFIX" not in other
    # What they compile is kept apart.
    assert len({Others().name, Others(helpers=helpers).name, Others(helpers=helpers[:1]).name}) == 3
