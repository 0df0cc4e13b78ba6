"""BuildGrid with PostgreSQL as `ci/farm` configures it, and workers of it, for tests that have both programs."""

from __future__ import annotations

import contextlib
import os
import re
import shutil
import signal
import socket
import subprocess
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from kiln.engine import connect
from tests.support.house import House
from tests.support.repository import ROOT

# The program `bgd` of an environment with BuildGrid, and the folder that ci/farm/programs.sh makes.
SERVER, PROGRAMS = os.environ.get("KILN_TEST_BUILDGRID", ""), os.environ.get("KILN_TEST_PROGRAMS", "")
needs_farm = pytest.mark.skipif(
    not (SERVER and PROGRAMS and "KILN_TEST_SHARED" in os.environ),
    reason="set KILN_TEST_SHARED=1, KILN_TEST_BUILDGRID=.../bin/bgd and KILN_TEST_PROGRAMS=FOLDER: it starts BuildGrid",
)
needs_programs = pytest.mark.skipif(
    not (PROGRAMS and "KILN_TEST_SHARED" in os.environ),
    reason="set KILN_TEST_SHARED=1 and KILN_TEST_PROGRAMS=FOLDER, made by ci/farm/programs.sh",
)
_POSTGRES = sorted(Path("/usr/lib/postgresql").glob("*/bin"))


@contextlib.contextmanager
def buildgrid(folder: Path) -> Iterator[tuple[str, subprocess.Popen[bytes]]]:
    """The address of a server that has nothing, and its process."""
    with _database() as database:
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            address = f"127.0.0.1:{free.getsockname()[1]}"
        variables = {
            **os.environ,
            "BUILDGRID_ADDRESS": address,
            "BUILDGRID_DATABASE": database,
            "BUILDGRID_FOLDER": str(folder / "objects"),
        }
        subprocess.run([SERVER, "migrate", "apply", database], check=True, capture_output=True, env=variables)
        command = [SERVER, "server", "start", str(ROOT / "ci/farm/buildgrid.yaml")]
        with (folder / "server.log").open("wb") as log:
            process = subprocess.Popen(command, env=variables, stdout=log, stderr=log)
        try:
            _answers(process, socket.AF_INET, ("127.0.0.1", int(address.rpartition(":")[2])))
            yield f"grpc://{address}", process
        finally:
            process.kill()
            process.wait()


@contextlib.contextmanager
def worker(house: House, server: str, name: str) -> Iterator[subprocess.Popen[str]]:
    """A worker for the recipe `flow` that has its toolchain and asks a server for actions."""
    with _working(house, "flow", "--remote-executor", server, "--name", name) as (process, _):
        yield process


@contextlib.contextmanager
def helper(house: House, recipe: str) -> Iterator[str]:
    """The address of a machine that compiles for distcc with a recipe's toolchain."""
    with _working(house, recipe, "--listen", "127.0.0.1:0") as (_, said):
        yield re.findall(r"compiles for distcc at ([0-9.:]+)", said)[0]


@contextlib.contextmanager
def _working(house: House, recipe: str, *options: str) -> Iterator[tuple[subprocess.Popen[str], str]]:
    """A worker that is ready, and what it says of itself."""
    process = house.start("worker", recipe, "--programs", PROGRAMS, *options)
    try:
        assert process.stdout
        said = []
        for line in process.stdout:
            said.append(line)
            if "Ctrl-C ends it" in line:
                break
        else:
            raise AssertionError("".join(said))
        yield process, said[-1]
    finally:
        process.terminate()
        process.communicate()


def kill(house: House, process: subprocess.Popen[str]) -> None:
    """End a worker as a machine that is switched off does."""
    (folder,) = (house.home / "builds").glob(f"worker-{process.pid}")
    process.kill()
    with connect(os.environ) as engine:
        engine.remove(str(folder))


@contextlib.contextmanager
def _database() -> Iterator[str]:
    """PostgreSQL on a socket of files; its URL."""
    programs = _POSTGRES[-1]
    # It does not run as root, and a socket's path may have 107 bytes.
    user = "postgres" if os.getuid() == 0 else None
    with tempfile.TemporaryDirectory(dir="/tmp") as name, contextlib.ExitStack() as stack:
        if user:
            shutil.chown(name, user)
        subprocess.run(
            [programs / "initdb", "-D", f"{name}/data", "-A", "trust", "-U", "kiln", "--no-sync"],
            check=True, capture_output=True, user=user, cwd=name,
        )  # fmt: skip
        process = subprocess.Popen(
            [programs / "postgres", "-D", f"{name}/data", "-k", name, "-c", "listen_addresses=", "-F"],
            stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, user=user, cwd=name,
        )  # fmt: skip
        stack.callback(process.wait)
        # At once, whoever is still connected.
        stack.callback(process.send_signal, signal.SIGINT)
        _answers(process, socket.AF_UNIX, f"{name}/.s.PGSQL.5432")
        yield f"postgresql://kiln@/postgres?host={name}"


def _answers(process: subprocess.Popen[bytes], family: int, address: object) -> None:
    """Wait until a server takes connections, or has ended."""
    while process.poll() is None:
        with socket.socket(family) as probe:
            if probe.connect_ex(address) == 0:  # type: ignore[arg-type]
                return
    raise AssertionError(f"{process.args!r} ended")
