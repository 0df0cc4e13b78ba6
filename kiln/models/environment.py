"""Separate Python environments for programs that Kiln runs beside itself, from hash-locked packages."""

from __future__ import annotations

import hashlib
import os
import re
import subprocess
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from packaging.utils import InvalidWheelFilename, canonicalize_name, parse_wheel_filename

from kiln.core import (
    Console,
    Home,
    SourceError,
    UsageError,
    find_python,
    pyenv_root,
    python_program,
    remove,
    sha256_of,
)

# A copy of the lock in an environment that was made completely.
LOCK = "kiln-lock.txt"


@dataclass(frozen=True)
class Environment:
    """The folder of a virtual environment."""

    folder: Path

    @property
    def python(self) -> Path:
        return self.folder / "bin" / "python"

    def variables(self, environment: Mapping[str, str], **more: str) -> dict[str, str]:
        """The variables for a program of this environment: its folder comes first, no other modules are found."""
        kept = {name: value for name, value in environment.items() if not name.startswith("PYTHON")}
        path = os.pathsep.join([str(self.folder / "bin"), environment.get("PATH", os.defpath)])
        return {**kept, "PATH": path, "VIRTUAL_ENV": str(self.folder), "PYTHONDONTWRITEBYTECODE": "1", **more}


@dataclass(frozen=True)
class Pins:
    """A hash-locked requirements file, with the projects that are published as source only, and one wheel instead.

    `others` are further such files; what one pins, every other that has it pins alike.
    """

    name: str
    lock: Path
    sdists: tuple[str, ...] = ()
    wheel: Path | None = None
    others: tuple[Path, ...] = ()

    def text(self) -> str:
        """The lock as it is installed; UsageError where the wheel is not one, or the lock does not pin its project."""
        text = "".join(lock.read_text(encoding="utf-8") for lock in (self.lock, *self.others))
        return with_wheel(text, self.wheel, self.lock.name) if self.wheel else text


@dataclass(frozen=True)
class Given:
    """What the user gave: a Python version, the prefix of an interpreter, or a whole environment; empty if not given."""

    python: str
    prefix: str = ""
    folder: str = ""


def obtain(
    home: Home, given: Given, pins: Pins, variables: Mapping[str, str], offline: bool, console: Console
) -> Environment:
    """The user's environment as it is, else one of the pins.

    Raises UsageError for options that do not go together or name nothing, SourceError where pip fails.
    """
    if not given.folder:
        base = interpreter(given.python, given.prefix, variables)
        return make(home, base, pins, variables, offline, console)
    if given.prefix or pins.wheel:
        raise UsageError("--venv is an environment as it is", "leave out --python-prefix and --wheel")
    return existing(given.folder)


def with_wheel(text: str, wheel: Path, name: str) -> str:
    """A lock in which a file takes the place of its project's pin.

    Raises UsageError where the file is not a wheel, or its project is not in the lock, called `name`.
    """
    try:
        project = parse_wheel_filename(wheel.name)[0]
    except InvalidWheelFilename as error:
        raise UsageError(f"{wheel} is not named like a wheel", "give the path of a .whl file") from error
    if not wheel.is_file():
        raise UsageError(f"there is no file {wheel}", "give the path of a wheel that was built")
    instead = f"{project} @ {wheel.resolve().as_uri()} --hash=sha256:{sha256_of(wheel)}\n"
    pins = list(_pins(text))
    if project not in [pinned for pinned, _ in pins]:
        raise UsageError(
            f"{wheel.name} is a wheel of {project}, which {name} does not pin", "give another one"
        )
    return "".join(instead if pinned == project else lines for pinned, lines in pins)


def _pins(text: str) -> Iterator[tuple[str, str]]:
    """The pins of a lock: the project, and the lines of its requirement with the hashes."""
    for block in re.findall(r"^\S.*\n?(?:[ \t]+.*\n?)*", text, re.MULTILINE):
        yield canonicalize_name(re.split(r"[=<>!~;@ \\\[]", block, maxsplit=1)[0]), block


def interpreter(version: str, prefix: str, environment: Mapping[str, str]) -> Path:
    """An interpreter of a version such as "3.7" that can make environments: at a prefix, else in PATH or pyenv's.

    Raises UsageError where none works.
    """
    name = f"python{version}"
    if prefix:
        place = Path(prefix).expanduser().absolute() / "bin" / name
        if python_program(place, environment) is None:
            raise UsageError(
                f"--python-prefix {prefix} holds no working bin/{name}", "give the folder that does"
            )
        return place
    found = find_python(version, environment)
    if found is None:
        raise UsageError(
            f"there is no working {name} in PATH or in {pyenv_root(environment)}",
            f"name one with --python-prefix DIR (the folder that holds bin/{name}), or an environment with "
            "--venv DIR",
        )
    return found.program


def existing(folder: str) -> Environment:
    """An environment that the user made; UsageError where it has no interpreter."""
    environment = Environment(Path(folder).expanduser().absolute())
    if not environment.python.exists():
        raise UsageError(f"--venv {folder} holds no bin/python", "give the folder of a virtual environment")
    return environment


def make(
    home: Home, base: Path, pins: Pins, variables: Mapping[str, str], offline: bool, console: Console
) -> Environment:
    """The environment of these pins on this interpreter, made on first use.

    Raises SourceError where pip cannot install them.
    """
    text = pins.text()
    identity = f"{base.resolve()}\n{text}"
    name = f"{pins.name}-{hashlib.sha256(identity.encode()).hexdigest()[:16]}"
    made = Environment(home.environments / name)
    with home.lock(name, console):
        marker = made.folder / LOCK
        if marker.exists() and python_program(made.python, variables):
            return made
        remove(made.folder)
        with console.station(f"packages of {pins.lock.name}"):
            _install(made, base, pins, text, variables, offline)
        # Written last: an environment without it was not completed.
        marker.write_text(text, encoding="utf-8")
    return made


def _install(
    made: Environment, base: Path, pins: Pins, text: str, variables: Mapping[str, str], offline: bool
) -> None:
    made.folder.mkdir(parents=True)
    requirements = made.folder / "requirements.txt"
    requirements.write_text(text, encoding="utf-8")
    # A source distribution is built with the environment's own tools: others would be fetched without a hash.
    built = [f"--no-binary={','.join(pins.sdists)}", "--no-build-isolation"] if pins.sdists else []
    install = [
        *("-m", "pip", "install", "--quiet", "--disable-pip-version-check", "--require-hashes"),
        *(
            "--only-binary=:all:",
            *built,
            *(["--no-index"] if offline else []),
            "--requirement",
            str(requirements),
        ),
    ]
    isolated = made.variables(variables)
    for command in ([str(base), "-m", "venv", str(made.folder)], [str(made.python), *install]):
        done = subprocess.run(
            command, env=isolated, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
            text=True, errors="replace",
        )  # fmt: skip
        if done.returncode:
            errors = [line for line in done.stdout.splitlines() if line.startswith("ERROR")]
            lines = "\n".join("  " + line for line in (errors or done.stdout.strip().splitlines())[-5:])
            raise SourceError(
                f"the packages of {pins.lock} cannot be installed",
                "check the network and pip's configuration (pip config list), then run again",
                detail=lines,
            )
