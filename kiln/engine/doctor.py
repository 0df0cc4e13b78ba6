"""What a build needs of this machine, what is missing, and the command that installs it."""

from __future__ import annotations

import os
import shlex
import shutil
import subprocess
from collections.abc import Mapping
from pathlib import Path

from kiln.core import Console, EngineError, Finding, Home
from kiln.engine import kernel
from kiln.engine.connection import connect, docker_socket
from kiln.engine.machine import memory

ENGINE = ("podman", "runc", "catatonit")
ROOTLESS = ("uidmap", "fuse-overlayfs")


def findings(environment: Mapping[str, str]) -> list[Finding]:
    """What any build needs of the machine, each with what was found and what to do if it is missing."""
    home = Home.of(environment)
    free = shutil.disk_usage(home.path).free / 2**30
    usable = memory() / 2**30
    return [
        _engine(environment),
        *kernel.findings(),
        Finding("disk", free >= 10, f"{free:.0f} GiB free in {home.path}", "set KILN_HOME to a larger disk"),
        Finding("memory", usable >= 4, f"{usable:.0f} GiB", "give --jobs 1"),
        _permissions(home),
    ]


def _permissions(home: Home) -> Finding:
    """Whether this user may write in all folders of the home; those that are its own are made writable."""
    folders = [each for each in sorted(home.path.iterdir()) if each.is_dir()]
    closed = [each for each in folders if not os.access(each, os.R_OK | os.W_OK | os.X_OK)]
    if not closed:
        return Finding("home", True, str(home.path))
    own = [each for each in closed if each.stat().st_uid == os.getuid()]

    def fix() -> None:
        for each in own:
            each.chmod(each.stat().st_mode | 0o700)

    names = ", ".join(each.name for each in closed)
    cure = "run `./inv doctor --fix`" if own == closed else f"as root: chown -R $USER {home.path}"
    return Finding("home", False, f"{home.path}: {names} may not be written", cure, fix if own else None)


def _engine(environment: Mapping[str, str]) -> Finding:
    try:
        with connect(environment) as engine:
            return Finding(
                "engine",
                True,
                f"{engine.name} {engine.version}{', with ' * bool(engine.runtime)}{engine.runtime}",
            )
    except EngineError as error:
        packages = missing(environment)
        return Finding("engine", False, error.what, install_line(packages) if packages else error.cure)


def missing(environment: Mapping[str, str]) -> list[str]:
    """The Debian packages that are missing for a build by this user."""
    if engine_at_hand(environment):
        return []
    return [*ENGINE, *(ROOTLESS if os.getuid() else ())]


def engine_at_hand(environment: Mapping[str, str]) -> bool:
    """Whether there is an engine to connect to, or one that Kiln can start; not whether it works."""
    podman = shutil.which("podman") is not None
    return bool(environment.get("DOCKER_HOST")) or podman or docker_socket() == "answers"


def install_line(packages: list[str]) -> str:
    """The command that installs packages."""
    sudo = [] if os.getuid() == 0 else ["sudo"]
    return shlex.join([*sudo, "apt-get", "install", "--yes", "--no-install-recommends", *packages])


def require(setup: bool, environment: Mapping[str, str], console: Console) -> None:
    """Make sure that the packages are installed which a build needs; with `setup` install them.

    Raises EngineError with the command that installs what is missing.
    """
    packages = missing(environment)
    if packages and not setup:
        raise EngineError(
            f"missing on this machine: {', '.join(packages)}",
            "run again with --setup, or run this first",
            detail=f"  {install_line(packages)}",
        )
    if packages:
        install(packages, environment, console)


def install(packages: list[str], environment: Mapping[str, str], console: Console) -> None:
    """Install Debian packages, as `--setup` allows.

    Raises EngineError where the machine has no apt-get, or apt-get fails.
    """
    if not Path("/usr/bin/apt-get").exists():
        raise EngineError(
            "--setup installs with apt-get, which this machine does not have",
            f"install {', '.join(packages)} with its own package manager and run again",
        )
    console.note(f"installing {', '.join(packages)}")
    line = install_line(packages)
    apt_get = line.partition(" install ")[0]
    for command in (shlex.split(f"{apt_get} update"), shlex.split(line)):
        with console.status(shlex.join(command)):
            done = subprocess.run(
                command,
                stdin=None if os.isatty(0) else subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=subprocess.STDOUT,
                text=True,
                errors="replace",
                env={**environment, "DEBIAN_FRONTEND": "noninteractive"},
            )
        if done.returncode:
            raise EngineError(
                f"`{shlex.join(command)}` failed (status {done.returncode})",
                "run it by hand to see why",
                detail="\n".join("  " + text for text in done.stdout.strip().splitlines()[-5:]),
            )
