"""The tasks for working on Kiln itself."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from invoke.context import Context
from invoke.exceptions import Exit
from invoke.tasks import task

from kiln import core
from kiln.cli.guard import guarded
from kiln.cli.settings import root_of

if TYPE_CHECKING:
    from kiln.models import environment as environments

# What tests run beside a build's own needs, and the Debian package of each program. Without one its tests are skipped.
TEST_PROGRAMS = {
    "chromium": "chromium",
    "git": "git",
    "ip": "iproute2",
    "openssl": "openssl",
    "rsync": "rsync",
    "sshd": "openssh-server",
}


@task(auto_shortflags=False, help={"check": "write nothing; exit code 5 if a schema would change"})
@guarded
def schemas(context: Context, check: bool = False) -> None:
    """Write the JSON Schemas of the YAML files, which editors read, from the dataclasses."""
    from kiln.commands import schemas as writing

    writing.run(root_of(context), check, core.Console())


@task(
    auto_shortflags=False,
    help={
        "name": "its name: the folder's, and that of the wheel",
        "kind": "how it is built: setup (setup.py or pyproject.toml), cmake or bazel",
        "archive": "its source archive: what that says of itself is filled in, with its hashes",
    },
)
@guarded
def new_recipe(context: Context, name: str, kind: str = "setup", archive: str = "") -> None:
    """Write the files of a new recipe, and say what to fill in: `./inv new-recipe NAME --kind cmake`."""
    from kiln import commands

    given = Path(archive) if archive else None
    commands.new_recipe.run(root_of(context), name, kind, given, core.Console())


@task(auto_shortflags=False, help={"shell": "bash, zsh or fish"})
@guarded
def completion(context: Context, shell: str) -> None:
    """Print what makes a shell complete command lines: `eval "$(./inv completion bash)"`."""
    from kiln.cli.completion import script

    sys.stdout.write(script(shell))


@task(
    auto_shortflags=False,
    help={
        "setup": "install missing Debian packages with apt-get, also those that only tests need",
        "unit": "only the tests that need no container engine",
        "k": "pytest -k",
    },
)
@guarded
def test(context: Context, setup: bool = False, unit: bool = False, k: str = "") -> None:
    """Run all tests on all cores: unit, and integration on the real container engine."""
    from kiln.engine import cores, doctor

    console = core.Console()
    if not unit:
        doctor.require(setup, os.environ, console)
    missing = missing_test_packages(os.environ)
    if setup and missing:
        doctor.install(missing, os.environ, console)
    # The tests of a file share what takes long to make. The files come in the order in which they are collected.
    parallel = ["--numprocesses", str(cores()), "--dist", "loadfile", "--no-loadscope-reorder"]
    folders = [*([] if unit else ["tests/integration"]), "tests/unit"]
    command = [sys.executable, "-m", "pytest", *parallel, *folders, *(["-k", k] if k else [])]
    _run(command, root_of(context), os.environ)


def missing_test_packages(
    environment: Mapping[str, str], administrators: Sequence[str] = ("/usr/sbin", "/sbin")
) -> list[str]:
    """The Debian packages without which tests are skipped; some programs are in folders of administrators."""
    path = os.pathsep.join([environment.get("PATH", os.defpath), *administrators])
    return [package for program, package in TEST_PROGRAMS.items() if not shutil.which(program, path=path)]


@task(
    auto_shortflags=False,
    help={
        "all": "with the slow ones, which train over several seeds",
        "optional": "where this machine has no Python 3.7, leave the tests out",
        "k": "pytest -k",
    },
)
@guarded
def test_layers(context: Context, all: bool = False, optional: bool = False, k: str = "") -> None:
    """Run the layer library's tests on TensorFlow 1.15, in an environment that is made on first use."""
    from kiln.engine import cores

    root, console = root_of(context), core.Console()
    try:
        made = tensorflow_environment(root, os.environ, console)
    except core.UsageError as error:
        if not optional:
            raise
        console.note(f"the layer library is not tested: {error}")
        return
    command = [str(made.python), "-m", "pytest", "-p", "no:cacheprovider", "--numprocesses", str(cores())]
    command += [*([] if all else ["-m", "not slow"]), *(["-k", k] if k else [])]
    variables = made.variables(os.environ, PYTHONPATH=str(root / "layers"), OMP_NUM_THREADS="1")
    _run(command, root / "layers", variables)


def tensorflow_environment(
    root: Path, environment: Mapping[str, str], console: core.Console
) -> environments.Environment:
    """TensorFlow 1.15 with all that is tested on it: what the layer library's tests need, and the converter to ONNX.

    Raises UsageError where there is no interpreter for it, SourceError where pip fails.
    """
    from kiln.models import environment as environments
    from kiln.models import onnx

    base = environments.interpreter(onnx.PYTHON, "", environment)
    pins = replace(onnx.pins(root, None), name="tests", others=(root / "layers" / "requirements-tf1.txt",))
    return environments.make(core.Home.of(environment), base, pins, environment, False, console)


@task(auto_shortflags=False)
@guarded
def lint(context: Context) -> None:
    """Check style and types: ruff, and mypy --strict on kiln/."""
    for command in (["ruff", "check"], ["ruff", "format", "--check"], ["mypy"]):
        _run([sys.executable, "-m", *command], root_of(context), os.environ)


@task(auto_shortflags=False, help={"output": "the folder to write (default: dist/site)"})
@guarded
def docs(context: Context, output: str = "") -> None:
    """Make the documentation as a site, and stop at a link that leads nowhere."""
    from kiln.models import environment as environments

    root, console = root_of(context), core.Console()
    base = Path(sys.base_prefix, "bin", "python{}.{}".format(*sys.version_info))
    pins = environments.Pins("docs", root / "requirements" / "docs.txt")
    made = environments.make(core.Home.of(os.environ), base, pins, os.environ, False, console)
    target = Path(output or root / "dist" / "site").absolute()
    # The library's makers advertise its next version in every run.
    variables = made.variables(os.environ, NO_MKDOCS_2_WARNING="1")
    _run(
        [str(made.python), "-m", "mkdocs", "build", "--strict", "--quiet", "--site-dir", str(target)],
        root,
        variables,
    )
    console.say(f"the first page is {target / 'index.html'}")


@task(auto_shortflags=False, help={"name": "the one to run"})
@guarded
def bench(context: Context, name: str = "") -> None:
    """List the benchmarks, or run one: `./inv bench [NAME]`."""
    import ast

    root = root_of(context)
    scripts = {path.stem: path for path in sorted((root / "bench").glob("*.py"))}
    if name and name not in scripts:
        raise core.UsageError(f"there is no benchmark {name!r}", f"choose one of {', '.join(scripts)}")
    if name:
        _run([sys.executable, str(scripts[name])], Path.cwd(), {**os.environ, "PYTHONPATH": str(root)})
        return
    console = core.Console.for_output()
    for each, path in scripts.items():
        summary = ast.get_docstring(ast.parse(path.read_text(encoding="utf-8"))) or ""
        console.say(f"{each:<10} {summary.partition(chr(10))[0]}")


@task(
    auto_shortflags=False,
    help={
        "seconds": "how long",
        "tries": "how many at most",
        "seed": "what chance begins with: the same seed makes the same tries",
        "only": "the number of one try, to make it again",
        "kills": "kill so many real builds in place of it",
        "build": "what is built then: a recipe with its options, or flow, the tests' Bazel workspace (default)",
    },
)
@guarded
def attack(
    context: Context,
    seconds: int = 60,
    tries: int = 0,
    seed: int = 0,
    only: int = -1,
    kills: int = 0,
    build: str = "flow",
) -> None:
    """Attack what Kiln reads from others with inputs made by chance: exit code 1 if anything is found."""
    root = root_of(context)
    if kills:
        command = ["tests.attack.kills", f"--kills={kills}", f"--build={build}", f"--seed={seed}"]
    else:
        command = ["tests.attack", f"--seconds={seconds}", f"--seed={seed}"]
        command += [f"--tries={tries}"] if tries else []
        command += [f"--only={only}"] if only >= 0 else []
    variables = {**os.environ, "PYTHONPATH": str(root)}
    _run([sys.executable, "-m", *command], root, variables)


def _run(command: Sequence[str], folder: Path, variables: Mapping[str, str]) -> None:
    """Run a program, and end as it ends. One that is stopped with this process may first end what it has started."""
    process = subprocess.Popen(command, cwd=folder, env=dict(variables))
    try:
        code = process.wait()
    except KeyboardInterrupt:
        process.send_signal(signal.SIGINT)
        process.wait()
        raise
    if code:
        raise Exit(None, code if code > 0 else 128 - code)
