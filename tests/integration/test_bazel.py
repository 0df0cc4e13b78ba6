"""A Bazel workspace of TensorFlow's shape, by TensorFlow's own steps and scripts with the real Bazel, and its failures."""

from __future__ import annotations

import ast
import contextlib
import difflib
import json
import os
import re
import shutil
import signal
import subprocess
import zipfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from kiln.engine import connect
from kiln.lock.starlark.workspace import read_workspace
from tests.projects import flow
from tests.support import farm
from tests.support.farm import needs_farm
from tests.support.house import House, needs_shared, needs_verify
from tests.support.object_server import object_server

pytestmark = pytest.mark.usefixtures("finished")

VARIANT = "dist/flow/1.0/cp311-cpu-bookworm-sse4.2"
PROCESSES = re.compile(r"^INFO: (\d+) processes?: (?:(\d+) remote cache hit)?", re.M)


@pytest.fixture(scope="module")
def published(served: tuple[str, Path]) -> tuple[str, Path]:
    """The address and the folder of the workspace and its external archives."""
    address, folder = served
    flow.publish(folder, address)
    return served


@pytest.fixture(scope="module")
def locked(tmp_path_factory: pytest.TempPathFactory, published: tuple[str, Path], vault: Path) -> House:
    """The repository `flow` with its generated lock, and a home whose caches the tests share."""
    address, folder = published
    root, home = tmp_path_factory.mktemp("flow"), tmp_path_factory.mktemp("home")
    flow.repository(root, folder, address)
    (home / "sources").symlink_to(vault)
    house = House(root, home)
    done = house.run("lock", "flow/1.0")
    assert done.returncode == 0, done.stderr
    return house


@pytest.fixture
def house(tmp_path: Path, locked: House) -> House:
    """A copy of the repository; results of other tests are not taken for its own."""
    shutil.copytree(locked.root, tmp_path / "house", symlinks=True, ignore=shutil.ignore_patterns("dist"))
    for folder in ("results", "builds"):
        shutil.rmtree(locked.home / folder, ignore_errors=True)
    return House(tmp_path / "house", locked.home)


def result(house: House, variant: str = VARIANT) -> tuple[Path, str]:
    """The wheel and the log of a finished build."""
    (wheel,) = (house.root / variant).glob("*.whl")
    return wheel, (house.root / variant / "build.log").read_text(encoding="utf-8")


def processes(log: str) -> tuple[int, int]:
    """By Bazel's own count: the actions that ran something, and those of them that came out of the disk cache."""
    (found,) = PROCESSES.findall(log)
    return int(found[0]), int(found[1] or 0)


def failed_log(house: House) -> str:
    (log,) = (house.home / "builds").glob("*/build.log")
    return log.read_text(encoding="utf-8")


def test_the_workspace_becomes_a_wheel_that_is_installed_and_called(house: House) -> None:
    done = house.run("build", "flow")
    assert done.returncode == 0, done.stderr
    wheel, log = result(house)
    name = re.fullmatch(
        r"flow-1\.0\+1-cp311-cp311-(?:manylinux\w+\.)?manylinux_2_(\d+)_x86_64\.whl", wheel.name
    )
    assert name and int(name[1]) <= 17
    with zipfile.ZipFile(wheel) as archive:
        assert {"flow/__init__.py", "flow/_flow.so", "flow/ops.py", "flow/NOTICE"} <= set(archive.namelist())
    target = "//tensorflow/tools/pip_package:build_pip_package"
    abi = "--cxxopt=-D_GLIBCXX_USE_CXX11_ABI=0 --host_cxxopt=-D_GLIBCXX_USE_CXX11_ABI=0"
    flags = f"--copt=-mfpmath=both --copt=-msse4.2 --config=opt {abi}"
    assert f"bazel build -c opt --config=v1 {flags} {target}" in log
    assert re.search(r"smoke: [1-9]\d* passed", done.stderr)
    assert processes(log)[0] > 10
    tool = json.loads((wheel.parent / "measured.json").read_text())["tool"]
    assert tool["name"] == "Bazel" and tool["count"] > 10 and tool["longest"]


@needs_verify
def test_the_workspace_is_built_again_under_other_conditions_with_the_same_bytes(house: House) -> None:
    done = house.run("verify", "flow")
    assert done.returncode == 0, done.stderr
    said = json.loads((house.root / VARIANT / "reproduced.json").read_text(encoding="utf-8"))
    assert {"paths", "hostname", "jobs", "kernel"} <= set(said["varied"])


def test_the_externals_that_are_read_are_those_that_bazel_itself_resolves(house: House) -> None:
    """Bazel writes what it has executed; here that is every repository that the workspace declares."""
    resolved = "--experimental_repository_resolved_file=/kiln/build/resolved.bzl"
    house.replace(
        "docker/tensorflow/compile.sh",
        'time bazel_here "${command[@]}"',
        f'bazel_here "${{command[@]}}" //tensorflow:externals --nobuild {resolved}; exit 1 #',
    )
    assert house.run("build", "flow").returncode == 1
    (build,) = (house.home / "builds").glob("*/build")
    _, _, value = (build / "resolved.bzl").read_text(encoding="utf-8").partition("resolved = ")
    by_bazel = {
        (each["name"], *urls, each["sha256"], each.get("strip_prefix", "").strip("/"))
        for each in (entry["original_attributes"] for entry in ast.literal_eval(value))
        if (urls := each.get("urls") or [each["url"]] if "sha256" in each else ())
    }
    read = read_workspace(build / "tensorflow", lambda externals: None)
    by_kiln = {(each.repository, *each.urls, each.sha256, each.strip_prefix) for each in read.externals}
    assert by_kiln == by_bazel
    assert len(by_kiln) == 7 and not read.blocked_by()


def test_with_every_step_and_the_pins_of_tensorflow_on_its_own_interpreter(
    house: House, python_prefix: Path
) -> None:
    flow.with_preflight(house.root)
    done = house.run("build", "flow", "--python", "3.7", "--python-prefix", str(python_prefix))
    assert done.returncode == 0, done.stderr
    wheel, log = result(house, "dist/flow/1.0/cp37-cpu-bookworm-sse4.2")
    assert "-cp37-cp37m-manylinux" in wheel.name
    for said in ("numpy 1.18.5", "a Python extension runs", "bazel: 0.26.1"):
        assert said in log


def test_whatever_kills_a_build_the_next_one_does_no_finished_action_again(
    house: House, tmp_path: Path
) -> None:
    shutil.rmtree(house.home / "ccache", ignore_errors=True)  # a lost cache costs time only
    for kill, code, says in (
        (kill_bazel, 1, "a tool was killed, usually by the kernel because memory ran out: give fewer --jobs"),
        (kill_container, 4, "a container was removed while it was in use"),
        (kill_kiln, -signal.SIGKILL, ""),
    ):
        with held(house) as process:
            kill(house, process)
            output, _ = process.communicate(timeout=120)
            assert process.returncode == code, output
            assert says in output and "Traceback" not in output
    done = house.run("build", "flow")
    assert done.returncode == 0, done.stderr
    total, cached = processes(result(house)[1])
    assert total - cached == 1  # the one that never ended


def test_two_builds_at_once_share_the_disk_cache_and_both_succeed(house: House) -> None:
    shutil.rmtree(house.home / "ccache", ignore_errors=True)
    other = ("build", "flow", "--project-name", "flow-two")
    builds = [house.start("build", "flow"), house.start(*other)]
    outputs = [process.communicate(timeout=900)[0] for process in builds]
    assert [process.returncode for process in builds] == [0, 0], outputs
    wheels = [result(house)[0], result(house, f"{VARIANT}+project_name-flow-two")[0]]
    assert [wheel.name.partition("-")[0] for wheel in wheels] == ["flow", "flow_two"]
    modules = [zipfile.ZipFile(wheel).read("flow/_flow.so") for wheel in wheels]
    assert modules[0] == modules[1]


@needs_shared
@pytest.mark.parametrize("kind", ["http", "redis"])
def test_a_second_machine_runs_no_action_that_the_first_has_run_whatever_becomes_of_the_cache(
    house: House, kind: str
) -> None:
    def build(*options: str) -> tuple[bytes, tuple[int, int], dict[str, int]]:
        """The wheel of a machine that has nothing, what its Bazel ran, and what came from the shared cache."""
        shutil.rmtree(house.home / "builds", ignore_errors=True)
        wheel, ran, _ = build_anew(house, *options)
        return wheel, ran, used(house, "shared")

    with object_server(kind) as objects:
        alone, (total, _), _ = build()
        first, (ran, cached), counts = build("--remote-cache", objects.url, "--remote-cache-write")
        assert (ran, cached) == (total, 0) and counts["given"] > total
        second, (ran, cached), counts = build("--remote-cache", objects.url)
        # The last action is none for a cache: a test may have it wait.
        assert ran - cached == 1 and counts["missing"] == counts["given"] == 0
        for name in sorted(name for name in objects.kept if "cas/" in name)[::2]:
            del objects.kept[name]
        half, (ran, cached), counts = build("--remote-cache", objects.url)
        assert 0 < cached < ran - 1 and counts["missing"] > 0
        objects.mode = "altered"
        third, (ran, cached), counts = build("--remote-cache", objects.url)
        assert cached == counts["taken"] == 0 and counts["altered"] > 0
        objects.mode = "gone"
        fourth, (ran, cached), counts = build("--remote-cache", objects.url)
        assert cached == 0 and counts["failures"] > 0
        assert alone == first == second == half == third == fourth


@pytest.fixture(scope="module")
def alone(locked: House, tmp_path_factory: pytest.TempPathFactory) -> tuple[bytes, int]:
    """The wheel of a machine that works alone, and how many actions that took."""
    root = tmp_path_factory.mktemp("alone") / "house"
    shutil.copytree(locked.root, root, symlinks=True, ignore=shutil.ignore_patterns("dist"))
    wheel, (total, _), _ = build_anew(House(root, locked.home))
    return wheel, total


@needs_farm
def test_every_action_runs_on_workers_and_the_wheel_is_the_one_that_is_built_alone(
    house: House, tmp_path: Path, alone: tuple[bytes, int]
) -> None:
    wheel, total = alone
    with farm.buildgrid(tmp_path) as (server, _), farm.worker(house, server, "one"):
        first, (ran, _), counts = build_anew(house, "--remote-executor", server)
        # The last action is for no other machine: a test may have it wait.
        assert (ran, counts) == (total, {"run": total - 1, "known": 0, "failed": 0})
        second, _, counts = build_anew(house, "--remote-executor", server)
        assert counts == {"run": 0, "known": total - 1, "failed": 0}
    assert wheel == first == second


@needs_farm
def test_a_second_machine_takes_from_buildgrid_what_the_first_has_given(
    house: House, tmp_path: Path, alone: tuple[bytes, int]
) -> None:
    wheel, total = alone
    with farm.buildgrid(tmp_path) as (server, _):
        first, (ran, cached), _ = build_anew(house, "--remote-cache", server, "--remote-cache-write")
        assert (ran, cached) == (total, 0)
        second, (ran, cached), _ = build_anew(house, "--remote-cache", server)
        # The last action is none for a cache: a test may have it wait.
        assert ran - cached == 1
    assert wheel == first == second


@needs_farm
def test_a_worker_that_dies_loses_its_action_only(
    house: House, tmp_path: Path, alone: tuple[bytes, int]
) -> None:
    wheel, total = alone
    with farm.buildgrid(tmp_path) as (server, _), contextlib.ExitStack() as stack:
        first = stack.enter_context(farm.worker(house, server, "one"))
        build = started_anew(house, "--remote-executor", server)
        stack.callback(build.kill)
        house.wait_for_log(build, "s remote")
        farm.kill(house, first)
        stack.enter_context(farm.worker(house, server, "two"))
        assert_finished(house, build, wheel)
        assert used(house)["run"] == total - 1


@needs_farm
def test_an_executor_that_goes_away_slows_a_build_and_is_named_once(
    house: House, tmp_path: Path, alone: tuple[bytes, int]
) -> None:
    wheel, _ = alone
    with farm.buildgrid(tmp_path) as (server, process):
        # There is no worker: the actions wait.
        build = started_anew(house, "--remote-executor", server)
        house.wait_for_log(build, "s remote")
        process.kill()
        output = assert_finished(house, build, wheel)
        assert output.count(f"the remote executor {server} answers UNAVAILABLE") == 1
        assert used(house)["run"] == 0 and used(house)["failed"] > 0
        again = house.run("build", "flow", "--project-name", "other", "--remote-executor", server)
        assert again.returncode == 2 and f"the remote executor {server} answers UNAVAILABLE" in again.stderr


def used(house: House, what: str = "executor") -> dict[str, int]:
    """What the last build had of other machines."""
    wheel, _ = result(house)
    found = json.loads((wheel.parent / "measured.json").read_text())[what]
    return dict(found["counts"]) if found else {}


def assert_finished(house: House, build: subprocess.Popen[str], wheel: bytes) -> str:
    """A build that was started ends well, with this wheel; the value is what it printed."""
    output, _ = build.communicate(timeout=900)
    assert build.returncode == 0, output
    assert result(house)[0].read_bytes() == wheel
    return output


def started_anew(house: House, *options: str) -> subprocess.Popen[str]:
    house.forget()
    return house.start("build", "flow", *options)


def build_anew(house: House, *options: str) -> tuple[bytes, tuple[int, int], dict[str, int]]:
    """The wheel of a machine that has nothing, what its Bazel ran, and what was run on other machines."""
    house.forget()
    done = house.run("build", "flow", *options)
    assert done.returncode == 0, done.stderr
    wheel, log = result(house)
    return wheel.read_bytes(), processes(log), used(house)


def test_a_compile_error_is_told_in_the_compilers_own_words_with_what_cures_it(house: House) -> None:
    patch(
        house,
        "tensorflow/core/platform.cc",
        ("static long sys_gettid(void) {", "static long gettid(void) {"),
    )
    done = house.run("build", "flow")
    assert done.returncode == 1
    quoted, mark, sentence = done.stderr.partition("\nerror: ")
    assert re.search(r"^ *tensorflow/core/platform\.cc:\d+:\d+: error: .*gettid", quoted, re.M) and mark
    assert "failed in the step compile (status 1): glibc has a function of that name" in sentence
    assert "0004-grpc-gettid" in sentence
    assert "FAILED: Build did NOT complete successfully" in failed_log(house)


def test_an_external_that_the_lock_does_not_have_is_named_by_the_build(house: House) -> None:
    (house.root / "recipes/flow/sources.lock.yaml").write_text("releases: ['1.0']\nsources: []\n")
    done = house.run("build", "flow")
    assert done.returncode == 1
    assert "add the external that the line names to the lock" in done.stderr
    assert re.search(r"(stamps|mixing)-1\.0\.tar\.gz", done.stderr) and "Traceback" not in done.stderr


@pytest.mark.parametrize(("serves", "says"), [(None, "404"), (b"other bytes", "gives another file")])
def test_an_external_that_cannot_be_had_or_is_another_file_is_exit_3_before_anything_is_built(
    house: House, published: tuple[str, Path], serves: bytes | None, says: str
) -> None:
    address, folder = published
    lock = house.root / "recipes/flow/sources.lock.yaml"
    wanted, other = "e" * 64, folder / "other-1.0.tar.gz"
    text = lock.read_text().replace("mixing-1.0.tar.gz", other.name)
    lock.write_text(text.replace(flow.sha256(folder / "mixing-1.0.tar.gz"), wanted))
    if serves:
        other.write_bytes(serves)
    try:
        done = house.run("build", "flow")
    finally:
        other.unlink(missing_ok=True)
    assert done.returncode == 3
    for part in ("mixing", wanted, f"{address}/{other.name}", says):
        assert part in done.stderr
    assert "compile ..." not in done.stderr


def test_a_licence_that_a_stand_in_does_not_have_is_named_before_the_compile(
    house: House, python_prefix: Path
) -> None:
    flow.with_preflight(house.root)
    patch(house, "third_party/mixing/mixing.BUILD", ("LICENSE", "docs/COPYING"))
    patch(house, "tensorflow/tools/pip_package/BUILD", ("mixing//:LICENSE", "mixing//:docs/COPYING"))
    done = house.run("build", "flow", "--python", "3.7", "--python-prefix", str(python_prefix))
    assert done.returncode == 1
    assert "failed in the step preflight" in done.stderr
    assert "the wheel needs files that are missing: docs/COPYING of the external mixing:" in done.stderr
    assert "✓ compile" not in done.stderr and "bazel build" not in failed_log(house)


def test_a_file_of_an_external_that_is_missing_in_the_last_action_is_named(house: House) -> None:
    patch(house, "third_party/mixing/mixing.BUILD", ("LICENSE", "COPYING"))
    patch(house, "tensorflow/tools/pip_package/BUILD", ("mixing//:LICENSE", "mixing//:COPYING"))
    done = house.run("build", "flow")
    assert done.returncode == 1
    assert "missing input file '@mixing//:COPYING'" in done.stderr
    assert "take the pinned archive, or a stand-in that has this file" in done.stderr


def patch(house: House, path: str, change: tuple[str, str]) -> None:
    """One more patch of the recipe, which changes one file of the workspace."""
    folder = house.root / "patches/flow"
    folder.mkdir(parents=True, exist_ok=True)
    old = (flow.HERE / "tree" / path).read_text(encoding="utf-8")
    new = old.replace(*change)
    lines = difflib.unified_diff(
        old.splitlines(keepends=True), new.splitlines(keepends=True), f"a/{path}", f"b/{path}"
    )
    number = len(list(folder.glob("*.patch"))) + 1
    (folder / f"{number:04}-x.patch").write_text("".join(lines))
    rows = (
        f"  - {{file: {each.name}, tree: tensorflow, why: a test}}" for each in sorted(folder.glob("*.patch"))
    )
    (folder / "series.yaml").write_text("\n".join(["patches:", *rows, ""]))


@contextlib.contextmanager
def held(house: House) -> Iterator[subprocess.Popen[str]]:
    """A build that has done all its actions but the last, which waits."""
    hold, reached = house.cache("flow") / "hold", house.cache("flow") / "held"
    hold.parent.mkdir(parents=True, exist_ok=True)
    hold.touch()
    reached.unlink(missing_ok=True)
    process = house.start("build", "flow")
    try:
        while not reached.exists() and process.poll() is None:
            with contextlib.suppress(subprocess.TimeoutExpired):
                process.wait(timeout=0.05)
        assert process.poll() is None, process.stdout and process.stdout.read()
        yield process
    finally:
        hold.unlink()
        process.kill()
        process.wait()


def kill_kiln(house: House, process: subprocess.Popen[str]) -> None:
    process.kill()


def kill_container(house: House, process: subprocess.Popen[str]) -> None:
    (folder,) = (house.home / "builds").iterdir()
    with connect(os.environ) as engine:
        engine.remove(str(folder))


def kill_bazel(house: House, process: subprocess.Popen[str]) -> None:
    """As the kernel does where memory runs out."""
    (bazel,) = (
        int(folder.name)
        for folder in Path("/proc").iterdir()
        if folder.name.isdigit() and _is_bazel_of(house, folder)
    )
    os.kill(bazel, signal.SIGKILL)


def _is_bazel_of(house: House, process: Path) -> bool:
    with contextlib.suppress(OSError):
        name = (process / "cmdline").read_bytes().split(b"\0")[0]
        return name.startswith(b"bazel(") and (process / "root/kiln/ccache/held").samefile(
            house.cache("flow") / "held"
        )
    return False
