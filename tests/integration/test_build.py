"""Whole builds of a small recipe on the real container engine, and what happens when they go wrong."""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import pwd
import re
import shlex
import shutil
import signal
import subprocess
import zipfile
from pathlib import Path

import pytest

from kiln.build import Record, record
from kiln.engine import Run, connect, connection, toolchain
from tests.support.house import NO_ENGINE, Finished, House, containers

HALVES = "cp311-cpu-bookworm-sse4.2+ending-halves"


def log_of(house: House) -> Path:
    """The log of the build that failed."""
    (log,) = (house.home / "builds").glob("*/build.log")
    return log


def test_a_build_gives_a_tested_recorded_wheel_and_says_how_to_install_it(finished: Finished) -> None:
    wheel = finished.house.wheel()
    assert {path.name for path in wheel.parent.iterdir()} == {
        wheel.name, "plan.json", "toolchain.json", "build.log", "smoke.xml", "smoke.html", "smoke.key", "SHA256SUMS",
        "provenance.intoto.jsonl", "sbom.cdx.json", "measured.json", "report.html",
    }  # fmt: skip
    sums = dict(reversed(line.split("  ")) for line in (wheel.parent / "SHA256SUMS").read_text().splitlines())
    assert sums[wheel.name] == hashlib.sha256(wheel.read_bytes()).hexdigest()
    assert "pip install" in finished.printed and wheel.name in finished.printed
    for station in ("plan", "sources", "toolchain", "compile", "wheel", "smoke", "record"):
        assert station in finished.printed
    assert "Traceback" not in finished.printed


def test_the_wheel_has_the_true_tag_and_nothing_of_this_machine_or_moment(finished: Finished) -> None:
    wheel = finished.house.wheel()
    assert "-cp311-cp311-manylinux" in wheel.name and "-linux_" not in wheel.name
    with zipfile.ZipFile(wheel) as archive:
        infos = archive.infolist()
    names = [info.filename for info in infos]
    assert names[-1].endswith(".dist-info/RECORD")
    assert {info.date_time for info in infos} == {(2020, 4, 4, 0, 0, 0)}
    assert {info.external_attr >> 16 & 0o777 for info in infos} <= {0o644, 0o755}
    assert not list((finished.house.home / "builds").iterdir())


def test_two_builds_from_nothing_give_the_same_bytes(finished: Finished, house: House) -> None:
    shutil.rmtree(house.home / "venvs")
    done = house.run("build", "toy")
    assert done.returncode == 0, done.stderr
    assert house.wheel().read_bytes() == finished.house.wheel().read_bytes()


def test_virtual_environments_are_kept_for_other_builds_and_made_again_where_they_are_damaged(
    house: House,
) -> None:
    (kept,) = (house.home / "venvs").iterdir()
    made = "compile: python (common/python.sh)"
    assert house.run("build", "toy", "--answer", "42", "--ending", "error").returncode == 1
    assert made not in log_of(house).read_text()

    # A package that does what it should not, and a link to what other builds see.
    (module,) = kept.glob("files/build/lib/python3*/site-packages/iniconfig/__init__.py")
    module.write_text(module.read_text() + "raise SystemExit('altered')\n")
    program = kept / "files/tools/bin/auditwheel"
    program.unlink()
    program.symlink_to("/bin/true")
    done = house.run("build", "toy")
    assert done.returncode == 0 and "is damaged: making it again" in done.stderr, done.stderr
    assert made in (house.wheel().parent / "build.log").read_text()
    assert "altered" not in module.read_text() and not program.is_symlink()


def test_no_step_of_a_build_writes_into_virtual_environments_that_are_kept(house: House) -> None:
    house.replace(
        "docker/opencv/compile.sh", "set -euo pipefail", 'touch "$KILN_VENV/x" "$KILN_TOOLS/x"; exit 1'
    )
    assert house.run("build", "toy").returncode == 1
    assert log_of(house).read_text().count("Read-only file system") == 2


def test_a_finished_key_is_taken_without_engine_or_network_and_damage_is_built_again(built: House) -> None:
    house = built
    again = house.run("build", "toy", **NO_ENGINE)
    assert again.returncode == 0, again.stderr
    assert "finished before under the same key" in again.stderr

    (house.wheel().parent / "smoke.xml").write_text("damaged")
    assert house.run("build", "toy", **NO_ENGINE).returncode == 0
    assert "damaged" not in (house.wheel().parent / "smoke.xml").read_text()

    (stored,) = (house.home / "results").glob("*/*.whl")
    good = stored.read_bytes()
    stored.write_bytes(good[:-1])
    mended = house.run("build", "toy")
    assert mended.returncode == 0 and "is damaged: building again" in mended.stderr
    assert stored.read_bytes() == good == house.wheel().read_bytes()


def test_a_changed_suite_is_run_on_the_same_wheel_without_a_build(built: House) -> None:
    wheel = built.wheel().read_bytes()
    (stored,) = (built.home / "results").iterdir()
    finished = record.read(stored)
    assert isinstance(finished, Record)
    record.add(finished, "reproduced.json", "{}")
    built.replace("smoke/toy/test_toy.py", "== 42", "== 42 and True")
    done = built.run("build", "toy")
    assert done.returncode == 0 and "tested again, not built again" in done.stderr
    assert "compile" not in done.stderr
    assert built.wheel().read_bytes() == wheel
    assert (built.wheel().parent / "reproduced.json").read_text() == "{}", "that is so of the same wheel"


def test_a_compile_error_is_shown_with_the_compilers_own_words(house: House) -> None:
    done = house.run("build", "toy", "--ending", "error")
    assert done.returncode == 1
    assert "fatal error: nothere.h: No such file or directory" in done.stderr
    assert "failed in the step compile" in done.stderr
    (log,) = (house.home / "builds").glob("*/build.log")
    assert str(log) in done.stderr and "nothere.h" in log.read_text()
    assert containers(str(log.parent)) == []


def test_a_kept_container_gives_a_shell_in_what_the_failure_left(house: House) -> None:
    value = """it's "$HOME" `echo`"""
    done = house.run("build", "toy", "--ending", "error", "--answer", value, "--keep")
    (log,) = (house.home / "builds").glob("*/build.log")
    try:
        (kept,) = containers(str(log.parent))
        (command,) = re.findall(r"for a shell in what it left: (.*)", done.stderr)
        assert f"--volumes-from {kept}" in command
        # Without a terminal, and with a command instead of a prompt.
        words = shlex.split(command.replace(" -it ", " "))
        program = ["bash", "-c", '. /kiln/build/environment.sh && printf %s "$KILN_OPT_ANSWER"']
        shell = subprocess.run([*words[: words.index("bash")], *program], capture_output=True, text=True)
        assert shell.stdout == value, shell.stderr
    finally:
        with connect(os.environ) as engine:
            engine.remove(str(log.parent))


def test_a_wheel_that_fails_its_smoke_suite_is_not_a_result(house: House) -> None:
    done = house.run("build", "toy", "--answer", "41")
    assert done.returncode == 6
    assert "test_the_answer" in done.stderr and "smoke.html" in done.stderr
    assert not (house.root / "dist").exists()
    assert not list((house.home / "results").iterdir())
    # It took long to build: it is kept, with its log, and the next run takes it up where this one ended.
    (wheel,) = (house.home / "untested").glob("*/*.whl")
    assert str(wheel.parent) in done.stderr and (wheel.parent / "build.log").exists()
    content = wheel.read_bytes()
    house.replace("smoke/toy/test_toy.py", "== 42", "== 41")
    again = house.run("build", "toy", "--answer", "41")
    assert again.returncode == 0, again.stderr
    assert "was not passed: the wheel is tested again, not built again" in again.stderr
    assert "compile" not in again.stderr
    assert house.wheel("cp311-cpu-bookworm-sse4.2+answer-41").read_bytes() == content
    assert not list((house.home / "untested").iterdir())


def test_a_raw_wheel_that_cannot_be_repaired_is_kept_and_named(house: House) -> None:
    house.replace("docker/common/repair.sh", "auditwheel show", "false")
    done = house.run("build", "toy")
    assert done.returncode == 1
    folder = Path(done.stderr.rpartition("the raw wheel, until the next build: ")[2].strip())
    assert [wheel.suffix for wheel in folder.iterdir()] == [".whl"]


def test_a_step_has_no_network(house: House) -> None:
    done = house.run("build", "toy", "--ending", "network")
    assert done.returncode == 1
    assert "Network is unreachable" in done.stderr


def test_a_step_is_not_root_has_no_capability_and_writes_only_where_it_may(house: House) -> None:
    done = house.run("build", "toy", "--ending", "root")
    assert done.returncode == 1
    text = log_of(house).read_text()
    user = int(text.partition("user ")[2].split()[0])
    accounts = {account.pw_uid for account in pwd.getpwall()}
    assert user == os.getuid() if os.getuid() else user not in accounts
    assert "CapEff:\t0000000000000000" in text and "CapBnd:\t0000000000000000" in text
    assert "cannot touch '/usr/x'" in text and "cannot touch '/kiln/trees/toy/x'" in text


def test_a_patch_that_does_not_apply_is_named_with_its_hunk(house: House) -> None:
    folder = house.root / "patches/toy"
    folder.mkdir(parents=True)
    (folder / "series.yaml").write_text("patches:\n  - {file: 0001-x.patch, tree: toy, why: a test}\n")
    (folder / "0001-x.patch").write_text(
        "--- a/toy.c\n+++ b/toy.c\n@@ -1,1 +1,1 @@\n-#include <Nothing.h>\n+#include <Other.h>\n"
    )
    done = house.run("build", "toy")
    assert done.returncode == 1
    assert "patch toy/0001-x.patch does not apply: hunk #1 of toy.c" in done.stderr


def test_a_patch_that_applies_changes_the_wheel(house: House) -> None:
    folder = house.root / "patches/toy"
    folder.mkdir(parents=True)
    (folder / "series.yaml").write_text("patches:\n  - {file: 0001-x.patch, tree: toy, why: a test}\n")
    (folder / "0001-x.patch").write_text(
        "--- a/toy.c\n+++ b/toy.c\n@@ -2,3 +2,3 @@\n \n"
        "-static PyObject *answer(PyObject *self, PyObject *none) { return PyLong_FromLong(ANSWER); }\n"
        "+static PyObject *answer(PyObject *self, PyObject *none) { return PyLong_FromLong(ANSWER + 1); }\n \n"
    )
    assert house.run("build", "toy", "--answer", "41").returncode == 0


@pytest.mark.parametrize("how", [signal.SIGINT, signal.SIGTERM])
def test_a_stopped_build_leaves_no_container_and_no_result_and_the_next_run_goes_on(
    house: House, how: signal.Signals
) -> None:
    process = house.start("build", "toy", "--ending", "never")
    log = house.wait_for_log(process, "waiting")
    process.send_signal(how)
    output, _ = process.communicate(timeout=120)
    assert process.returncode == 130, output
    assert "run the same command again" in output and "Traceback" not in output
    assert containers(str(log.parent)) == []
    assert not list((house.home / "results").iterdir())
    assert house.run("build", "toy").returncode == 0


def test_a_build_that_its_budget_stops_goes_on_in_the_next_run_without_doing_finished_work_again(
    house: House,
) -> None:
    command = ("build", "toy", "--ending", "halves")
    refused = house.run(*command, "--time-budget", "5 hours")
    assert refused.returncode == 2 and "is not a duration" in refused.stderr

    # However slow the machine is, in the end the budget is over while the toy waits.
    seconds = 8
    while not (house.cache() / "half").exists():
        stopped = house.run(*command, "--time-budget", f"{seconds}s")
        assert stopped.returncode == 75, stopped.stderr
        seconds *= 2
    sentence = f"toy 1.0 is not finished: its time budget of {seconds // 2}s ended in the step compile"
    assert sentence in stopped.stderr and "run the same command again" in stopped.stderr
    (log,) = (house.home / "builds").glob("*/build.log")
    assert "from the cache\nwaiting\ninterrupted\n" in log.read_text()
    assert containers(str(log.parent)) == []
    assert not list((house.home / "results").iterdir()) and not (house.root / "dist").exists()

    done = house.run(*command, "--time-budget", "2h")
    assert done.returncode == 0, done.stderr
    assert "first half: 1 from the cache\n" in (house.wheel(HALVES).parent / "build.log").read_text()


def test_a_budget_that_ends_before_the_compile_begins_none_of_its_steps(house: House) -> None:
    done = house.run("build", "toy", "--time-budget", "1s")
    assert done.returncode == 75
    assert re.search("1s ended before the step (python|compile)", done.stderr)
    for station in ("sources", "toolchain"):
        assert f"✓ {station}" in done.stderr


def test_a_budget_does_not_change_what_is_built(built: House) -> None:
    again = built.run("build", "toy", "--time-budget", "1s", **NO_ENGINE)
    assert again.returncode == 0 and "finished before under the same key" in again.stderr


def test_the_same_plan_in_two_homes_on_one_engine_is_two_builds(house: House, tmp_path: Path) -> None:
    other = House(house.root, tmp_path / "other")
    other.home.mkdir()
    (other.home / "sources").symlink_to((house.home / "sources").resolve())
    builds = [(each, each.start("build", "toy", "--ending", "never")) for each in (house, other)]
    try:
        logs = [each.wait_for_log(process, "waiting") for each, process in builds]
        assert [log.parent.name for log in logs[:1]] == [log.parent.name for log in logs[1:]]
        assert [len(containers(str(log.parent))) for log in logs] == [1, 1]
    finally:
        for _, process in builds:
            process.send_signal(signal.SIGINT)
            process.communicate(timeout=120)


def test_a_killed_build_leaves_no_lock_and_its_container_is_removed_by_the_next_run(house: House) -> None:
    process = house.start("build", "toy", "--ending", "never")
    log = house.wait_for_log(process, "waiting")
    process.kill()
    process.wait()
    assert len(containers(str(log.parent))) == 1
    house.replace("docker/opencv/compile.sh", "sleep 3600", "exit 9 ")
    house.replace("docker/opencv/compile.sh", "exit 9 ", "sleep 3600")
    log.unlink()  # what is waited for is the new one
    again = house.start("build", "toy", "--ending", "never")
    house.wait_for_log(again, "waiting")
    assert len(containers(str(log.parent))) == 1
    again.send_signal(signal.SIGINT)
    again.communicate(timeout=120)
    assert containers(str(log.parent)) == []


def test_two_builds_of_one_key_at_once_build_once(house: House) -> None:
    first, second = house.start("build", "toy"), house.start("build", "toy")
    outputs = [process.communicate(timeout=900)[0] for process in (first, second)]
    assert [first.returncode, second.returncode] == [0, 0], outputs
    assert sum("finished before under the same key" in output for output in outputs) == 1
    assert sum("waiting for it" in output for output in outputs) == 1


def test_an_engine_that_does_not_answer_is_exit_4_with_what_to_do(house: House) -> None:
    done = house.run("build", "toy", **NO_ENGINE)
    assert done.returncode == 4
    assert "unix:///nowhere/docker.sock does not answer" in done.stderr and "Traceback" not in done.stderr


def test_a_remote_engine_is_refused_before_anything_is_done(house: House) -> None:
    done = house.run("build", "toy", DOCKER_HOST="tcp://192.0.2.1:2375")
    assert done.returncode == 4
    assert "unset DOCKER_HOST" in done.stderr


def test_without_any_engine_the_line_that_installs_one_is_printed(house: House, tmp_path: Path) -> None:
    if connection.docker_socket() == "answers":
        pytest.skip("Docker's socket answers here whatever is in PATH")
    programs = tmp_path / "bin"
    programs.mkdir()
    done = house.run("build", "toy", PATH=str(programs), DOCKER_HOST="")
    assert done.returncode == 4
    assert "apt-get install --yes --no-install-recommends podman" in done.stderr


def test_a_source_that_cannot_be_had_is_exit_3_with_the_file_its_hash_and_the_ways_to_supply_it(
    house: House,
) -> None:
    house.replace("recipes/toy/recipe.yaml", "toy-1.0.tar.gz", "gone.tar.gz")
    text = (house.root / "recipes/toy/recipe.yaml").read_text()
    digest = text.partition("sha256: ")[2][:64]
    (house.root / "recipes/toy/recipe.yaml").write_text(text.replace(digest, "e" * 64))
    done = house.run("build", "toy")
    assert done.returncode == 3
    assert "e" * 64 in done.stderr and "404" in done.stderr and "KILN_MIRRORS" in done.stderr


def test_an_interpreter_that_does_not_run_in_the_base_is_refused_with_a_clear_sentence(
    house: House, tmp_path: Path
) -> None:
    program = tmp_path / "prefix/bin/python3.7"
    program.parent.mkdir(parents=True)
    program.write_text("#!/nowhere/python3.7\n")
    program.chmod(0o755)
    done = house.run("build", "toy", "--python", "3.7", "--python-prefix", str(tmp_path / "prefix"))
    assert done.returncode == 2
    assert "does not run as Python 3.7 in the base bookworm" in done.stderr


def test_a_full_disk_is_one_sentence_and_never_a_half_written_result(house: House, tmp_path: Path) -> None:
    if os.getuid() != 0:
        pytest.skip("only root can mount a small disk")
    disk = tmp_path / "disk"
    disk.mkdir()
    subprocess.run(["mount", "-t", "tmpfs", "-o", "size=24M", "tmpfs", str(disk)], check=True)
    try:
        (disk / "sources").symlink_to((house.home / "sources").resolve())
        done = house.run("build", "toy", "--ending", "full", KILN_HOME=str(disk))
        assert done.returncode == 1
        assert "the disk is full" in done.stderr and "Traceback" not in done.stderr
        assert not list((disk / "results").iterdir())
    finally:
        subprocess.run(["umount", "--lazy", str(disk)], check=True)


@pytest.mark.parametrize(
    ("arguments", "part"),
    [
        (("build", "toy", "--colour", "red"), "--colour"),
        (("build", "nothing"), "choose one of toy"),
        (("build", "toy", "--python", "2.7"), "choose one of 3.7, 3.11"),
        (("bake",), "bake"),
        (("build", "toy", "--cpu-features", "mmx"), "mmx"),
    ],
)
def test_a_wrong_command_line_is_exit_2_and_one_message(
    house: House, arguments: tuple[str, ...], part: str
) -> None:
    done = house.run(*arguments)
    assert done.returncode == 2
    assert part in done.stderr and "Traceback" not in done.stderr


def test_offline_a_build_uses_what_is_there_and_touches_no_network(house: House) -> None:
    if os.getuid() == 0 and connection.docker_socket() == "answers":
        command = ["unshare", "--net", *house.command("build", "toy", "--offline")]
        done = subprocess.run(command, env=house.environment(), capture_output=True, text=True)
    else:
        done = house.run("build", "toy", "--offline")
    assert done.returncode == 0, done.stderr


def test_the_plan_of_a_build_is_what_is_recorded_with_it(built: House) -> None:
    printed = built.run("plan", "toy", "--json", **NO_ENGINE)
    recorded = (built.wheel().parent / "plan.json").read_text()
    planned = json.loads(printed.stdout)
    assert planned.pop("advice"), "what is known today is not recorded"
    assert planned == json.loads(recorded)
    shown = built.run("plan", "toy", **NO_ENGINE)
    assert json.loads(recorded)["key"] in shown.stdout
    assert "scripts/compile.sh" in shown.stdout and "network: none" in shown.stdout


def test_an_engine_that_stops_half_way_is_exit_4_and_the_next_run_goes_on(house: House) -> None:
    if shutil.which("podman") is None:
        pytest.skip("needs an engine of its own to stop: podman")
    socket = house.home / "podman.sock"
    service = subprocess.Popen(
        ["podman", "system", "service", "--time=0", f"unix://{socket}"],
        stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
    )  # fmt: skip
    try:
        while not socket.exists() and service.poll() is None:
            with contextlib.suppress(subprocess.TimeoutExpired):
                service.wait(timeout=0.05)
        process = subprocess.Popen(
            house.command("build", "toy", "--ending", "never"),
            env=house.environment(DOCKER_HOST=f"unix://{socket}"),
            stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
        )  # fmt: skip
        log = house.wait_for_log(process, "waiting")
        service.kill()
        service.wait()
        output, _ = process.communicate(timeout=120)
        assert process.returncode == 4, output
        assert "stopped answering" in output and "Traceback" not in output
        assert not list((house.home / "results").iterdir())
    finally:
        service.kill()
    environment = {key: value for key, value in os.environ.items() if key != "DOCKER_HOST"}
    with connect({**environment, "DOCKER_HOST": ""}) as engine:
        engine.remove(str(log.parent))
    assert house.run("build", "toy").returncode == 0


@pytest.mark.usefixtures("finished")
def test_a_step_may_print_nothing_for_longer_than_the_engine_may_take_to_answer() -> None:
    lines: list[str] = []
    with connect(os.environ, patience=5) as engine:
        image = next(iter(engine.images(f"{toolchain.IMAGES}bookworm-runtime")))
        run = Run(image, ("bash", "-c", "sleep 6; echo done"), "test-silence")
        assert engine.run(run, lines.append) == 0
    assert lines == ["done"]
