from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
import urllib.request
from collections.abc import Callable
from pathlib import Path

import pytest
from invoke.exceptions import Exit

from kiln import engine
from kiln.cli import collection, recipe_tasks
from kiln.cli.guard import guarded
from kiln.cli.program import KilnProgram, rewritten
from kiln.core.errors import CompileError, EngineError, KilnError, SourceError, UsageError
from kiln.recipe import Catalogue, Choice
from tests.support import repository, wheels
from tests.support.command import run
from tests.support.repository import RECIPE, ROOT


def test_what_is_not_understood_exits_with_2_and_the_way_to_help(tmp_path: Path) -> None:
    for arguments in (("no-such-task",), ("plan", "opencv", "--no-such-option")):
        done = run(tmp_path, *arguments)
        assert done.returncode == 2, arguments
        assert done.stderr.startswith("error: ")
        assert "./inv --list" in done.stderr
        assert "Traceback" not in done.stderr


def test_help_is_given_wherever_it_is_asked_for(tmp_path: Path) -> None:
    texts = {
        run(tmp_path, *arguments).stdout
        for arguments in (("--help", "plan"), ("plan", "opencv", "--json", "--help"))
    }
    (text,) = texts
    assert "--cpu-features=STRING" in text


def test_an_error_of_kiln_is_one_message_and_its_exit_code(tmp_path: Path) -> None:
    done = run(tmp_path, "plan", "opencv", "--python", "2.7")
    assert done.returncode == 2
    assert done.stderr.startswith("error: ")
    assert "'2.7'" in done.stderr
    assert len(done.stderr.splitlines()) == 1
    assert done.stdout == ""


def test_tasks_work_from_any_folder(tmp_path: Path) -> None:
    done = run(tmp_path, "plan", "opencv", "--json", folder=tmp_path)
    assert done.returncode == 0
    assert len(json.loads(done.stdout)["key"]) == 64


def test_benchmarks_are_listed_with_what_they_measure_and_run_by_name(tmp_path: Path) -> None:
    listed = run(tmp_path, "bench")
    assert "download   How fast sources arrive in the vault" in listed.stdout
    refused = run(tmp_path, "bench", "nothing")
    assert refused.returncode == 2
    assert "no benchmark 'nothing': choose one of" in refused.stderr


def test_a_fetch_from_a_folder_that_is_not_there_exits_with_2(tmp_path: Path) -> None:
    done = run(tmp_path / "home", "fetch", "opencv", "--folder", str(tmp_path / "nowhere"), KILN_OFFLINE="1")
    assert done.returncode == 2
    assert "nowhere cannot be listed" in done.stderr


def test_a_fetch_that_lacks_sources_exits_with_3(tmp_path: Path) -> None:
    done = run(tmp_path, "fetch", "opencv", KILN_OFFLINE="1", PIP_NO_INDEX="1")
    assert done.returncode == 3
    assert "sources are not available" in done.stderr
    assert "Traceback" not in done.stderr


@pytest.mark.parametrize(
    ("error", "code", "text"),
    [
        (CompileError("it broke"), 1, "error: it broke"),
        (UsageError("wrong"), 2, "error: wrong"),
        (SourceError("gone"), 3, "error: gone"),
        (EngineError("none"), 4, "error: none"),
        (KeyboardInterrupt(), 130, "stopped: run the same command again"),
        (
            OSError(28, "No space left on device", "/x"),
            1,
            "error: No space left on device (/x): free the disk",
        ),
    ],
)
def test_every_failure_is_a_message_and_an_exit_code(error: BaseException, code: int, text: str) -> None:
    @guarded
    def task() -> None:
        raise error

    with pytest.raises(Exit) as caught:
        task()
    assert caught.value.code == code
    assert str(caught.value.message).startswith(text)


def test_a_defect_is_not_hidden() -> None:
    @guarded
    def task() -> None:
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        task()


def test_exit_codes_are_those_that_the_documentation_lists() -> None:
    documented = (ROOT / "docs" / "troubleshooting.md").read_text(encoding="utf-8")
    kinds: list[Callable[..., KilnError]] = [CompileError, UsageError, SourceError, EngineError]
    for kind in kinds:
        assert f"| {kind('').exit_code} | " in documented


def test_what_was_given_is_chosen_whatever_the_defaults_are() -> None:
    options = (Choice("fast", "bool", True, "x"), Choice("parts", "str", "all", "x"))
    values = {"fast": True, "parts": "all", "other": 1}
    assert recipe_tasks.chosen(options, values, ()) == {}
    assert recipe_tasks.chosen(options, values, ("fast", "other")) == {"fast": True}


@pytest.mark.parametrize(
    ("typed", "fast"),
    [((), False), (("--fast",), True), (("--no-fast",), False), (("--release", "1.0"), True)],
)
def test_a_switch_given_as_another_release_has_it_by_default_is_not_dropped(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], typed: tuple[str, ...], fast: bool
) -> None:
    slow = "options: [{name: fast, type: bool, default: false, help: be fast}]"
    text = RECIPE.replace('releases: {"1.0": {}}', f'releases: {{"1.0": {{}}, "2.0": {{{slow}}}}}')
    program = KilnProgram(namespace=collection(repository.make(tmp_path, text)))
    program.run(["./inv", "plan", "toy", "--json", *typed], exit=False)
    assert json.loads(capsys.readouterr().out)["inputs"]["options"]["fast"] is fast


@pytest.mark.parametrize(
    ("typed", "read"),
    [
        ("smoke x.whl", "smoke --wheel x.whl"),
        ("smoke --venv x.whl", "smoke --venv --wheel x.whl"),
        ("smoke --against y.whl --venv x.whl", "smoke --against y.whl --venv --wheel x.whl"),
        ("smoke --python-prefix /p x.whl", "smoke --python-prefix /p --wheel x.whl"),
        ("index --output to a --offline b", "index --output to --folder a --offline --folder b"),
        ("bench download", "bench --name download"),
        ("plan toy --json --help", "--help plan"),
        ("plan toy --json", "plan toy --json"),
        ("", "--list"),
    ],
)
def test_an_argument_may_stand_anywhere_between_the_options(typed: str, read: str) -> None:
    assert rewritten(typed.split(), collection(ROOT)) == read.split()


def test_a_text_whose_default_differs_between_variants_is_chosen_whatever_it_is(tmp_path: Path) -> None:
    text = RECIPE.replace(
        "sources:\n",
        "  - {name: gcc, type: str, default: gcc-9, help: x, when: {device: cpu}}\n"
        "  - {name: gcc, type: str, default: gcc-7, help: y, when: {device: cuda-10.0}}\nsources:\n",
        1,
    )
    options = recipe_tasks.options_of(Catalogue(repository.make(tmp_path, text)).outlines())
    by_name = {option.name: option for option in options}
    assert (by_name["gcc"].default, by_name["gcc"].help) == ("", "x")
    given = {option.name: option.default for option in options}
    assert recipe_tasks.chosen(options, {**given, "gcc": "gcc-9"}, ["gcc"]) == {"gcc": "gcc-9"}


def test_options_are_passed_on_as_they_are_typed() -> None:
    given = {"jobs": 2, "offline": True, "setup": False, "git_mirror": "", "time_budget": "5h"}
    assert recipe_tasks.words(given) == ("--jobs", "2", "--offline", "--time-budget", "5h")


def test_offline_no_provenance_is_asked_for(tmp_path: Path) -> None:
    done = run(tmp_path, "rebuild", "http://wheels.example/provenance.intoto.jsonl", "--offline")
    assert done.returncode == 3
    assert "wheels.example/provenance.intoto.jsonl was not asked: offline" in done.stderr


def test_jobs_are_what_was_asked_for_else_at_least_one() -> None:
    assert engine.jobs(7) == 7
    assert 1 <= engine.jobs(0) <= (os.cpu_count() or 1)


def test_an_index_is_made_of_folders_and_served_and_published_by_command(tmp_path: Path) -> None:
    one, other = wheels.result(tmp_path / "one"), wheels.result(tmp_path / "other", cpu_features="baseline")
    target = tmp_path / "index"
    done = run(tmp_path / "home", "index", str(one), "--output", str(target), str(other))
    assert done.returncode == 0, done.stderr
    assert "2 files, 0.0 MB, 2 new" in done.stderr
    done = run(tmp_path / "home", "publish", str(tmp_path / "site"), "--folder", str(target))
    assert done.returncode == 0 and "2 new, 0 were there already" in done.stderr
    assert (tmp_path / "site" / "index.html").read_bytes() == (target / "index.html").read_bytes()
    for arguments in (("index", str(tmp_path / "none")), ("serve", str(tmp_path / "none"))):
        done = run(tmp_path / "home", *arguments)
        assert done.returncode == 2 and len(done.stderr.splitlines()) == 1
    with subprocess.Popen(
        [sys.executable, str(ROOT / "tasks.py"), "serve", str(target), "--port", "0"],
        env={**os.environ, "PYTHONUNBUFFERED": "1"}, stdout=subprocess.PIPE, text=True,
    ) as server:  # fmt: skip
        assert server.stdout is not None
        address = server.stdout.readline().split(" at ")[1].split()[0]
        with urllib.request.urlopen(f"{address}simple/toy/") as answer:
            assert answer.read() == (target / "simple" / "toy" / "index.html").read_bytes()
        server.terminate()
        assert server.wait() == 0


@pytest.mark.parametrize("option", ["--cuda", "--cuda=11.8"])
def test_cuda_is_asked_for_with_or_without_a_version(tmp_path: Path, option: str) -> None:
    done = run(tmp_path, "plan", "opencv", option, "--json")
    assert json.loads(done.stdout)["inputs"]["variant"]["device"] == "cuda-11.8"


def test_a_cuda_that_a_recipe_has_not_is_refused_with_those_it_has(tmp_path: Path) -> None:
    done = run(tmp_path, "plan", "opencv", "--cuda=9.9")
    assert done.returncode == 2
    assert done.stderr == (
        "error: opencv 4.3.0 is not built for device 'cuda-9.9': choose one of cpu, cuda-11.8\n"
    )


def test_the_native_capabilities_are_a_list_in_the_plan(tmp_path: Path) -> None:
    program = tmp_path / "nvidia-smi"
    program.write_text("#!/bin/sh\necho 'Tesla T4, 7.5, 535.104.05'\n")
    program.chmod(0o755)
    path = f"{tmp_path}{os.pathsep}{os.environ['PATH']}"
    native = run(tmp_path, "plan", "opencv", "--cuda", "--cuda-arch", "native", PATH=path)
    assert native.stdout == run(tmp_path, "plan", "opencv", "--cuda", "--cuda-arch", "7.5").stdout


def test_what_is_under_terms_of_its_own_is_not_fetched_before_they_are_accepted(tmp_path: Path) -> None:
    done = run(tmp_path, "fetch", "opencv", "--cuda", KILN_OFFLINE="1")
    assert done.returncode == 2
    assert "https://docs.nvidia.com/cuda/eula" in done.stderr and "--accept-cuda-eula" in done.stderr
    accepted = run(tmp_path, "fetch", "opencv", "--cuda", "--accept-cuda-eula", KILN_OFFLINE="1")
    assert accepted.returncode == 3
    assert "accepted, and remembered" in accepted.stderr


@pytest.mark.parametrize("module", ["invoke", "yaml", "lazy_loader"])
def test_ctrl_c_in_the_first_moment_ends_without_a_word(tmp_path: Path, module: str) -> None:
    """Whatever is being imported: here a module that says so and then waits."""
    folder = tmp_path / module
    folder.mkdir()
    (folder / "__init__.py").write_text("import sys\nprint('here', flush=True)\nsys.stdin.read()\n")
    process = subprocess.Popen(
        [sys.executable, str(ROOT / "tasks.py"), "plan", "opencv"],
        env={**os.environ, "PYTHONPATH": str(tmp_path)},
        stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
    )  # fmt: skip
    assert process.stdout and process.stdout.readline() == "here\n"
    process.send_signal(signal.SIGINT)
    said = process.communicate()
    assert (process.returncode, said) == (130, ("", ""))


def test_ctrl_c_while_the_environment_is_made_ends_without_a_word(tmp_path: Path) -> None:
    """A Python that says so when it makes an environment, and then waits."""
    root, gate = tmp_path / "checkout", tmp_path / "gate"
    shutil.copytree(ROOT / "requirements", root / "requirements")
    shutil.copy(ROOT / "inv", root / "inv")
    os.mkfifo(gate)
    python = tmp_path / "python"
    python.write_text(f'#!/bin/sh\n[ "$1" = -m ] || exit 0\necho begun > {gate}\ncat {gate}\n')
    python.chmod(0o755)
    process = subprocess.Popen(
        [str(root / "inv"), "plan"], env={**os.environ, "KILN_HOST_PYTHON": str(python)},
        stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, start_new_session=True,
    )  # fmt: skip
    assert gate.read_text() == "begun\n"
    # This opens once `cat` reads: between a shell's fork and the start of the program a signal is lost.
    with gate.open("w"):
        os.killpg(process.pid, signal.SIGINT)
        out, errors = process.communicate()
    assert (process.returncode, out, errors) == (130, "", "making .venv from requirements/run.txt (once)\n")
