"""Which container engine is used: what `DOCKER_HOST` names, else the Docker socket, else Podman's service.

Podman's service is started here for as long as it is needed.
"""

from __future__ import annotations

import contextlib
import shutil
import socket
import subprocess
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Literal

import docker
import docker.errors

from kiln.core import EngineError
from kiln.engine.engine import LOST, PATIENCE, Engine, first_line

SOCKET = Path("/var/run/docker.sock")


def docker_socket() -> Literal["answers", "forbidden", "silent"]:
    """Whether something listens on Docker's socket, and this user may speak to it."""
    try:
        with socket.socket(socket.AF_UNIX) as probe:
            probe.connect(str(SOCKET))
    except PermissionError:
        return "forbidden"
    except OSError:
        return "silent"
    return "answers"


@contextlib.contextmanager
def connect(environment: Mapping[str, str]) -> Iterator[Engine]:
    """The engine that answers; EngineError (exit 4) says why none does, and what to install."""
    engine = _connect(environment)
    try:
        yield engine
    finally:
        engine.close()


def _connect(environment: Mapping[str, str]) -> Engine:
    host = environment.get("DOCKER_HOST", "")
    if host:
        if not host.startswith("unix://"):
            raise EngineError(
                f"DOCKER_HOST is {host}, an engine on another machine, which cannot see this machine's "
                "folders: unset DOCKER_HOST, or point it at a local unix:// socket"
            )
        return _at(host)
    state = docker_socket()
    if state == "answers":
        return _at(f"unix://{SOCKET}")
    if shutil.which("podman"):
        return _podman(environment)
    if state == "forbidden":
        raise EngineError(
            f"this user may not use {SOCKET}: run `sudo usermod -aG docker $USER` and log in again, "
            "or install podman, which needs no rights (`sudo apt-get install podman uidmap`)"
        )
    raise EngineError(
        "no container engine answers: install one with `apt-get install --no-install-recommends "
        "podman runc catatonit uidmap fuse-overlayfs` (or run again with --setup), "
        "or start Docker"
    )


def _at(url: str, stop: Callable[[], None] = lambda: None) -> Engine:
    try:
        return Engine(docker.DockerClient(base_url=url, timeout=PATIENCE), url, stop)
    except (docker.errors.DockerException, *LOST) as error:
        raise EngineError(
            f"the container engine at {url} does not answer ({first_line(error)}): start it, or unset "
            "DOCKER_HOST to let podman be used"
        ) from error


def _podman(environment: Mapping[str, str]) -> Engine:
    """Podman's service on a socket of its own; it also ends by itself soon after its last client."""
    folder = Path(tempfile.mkdtemp(prefix="kiln-podman-"))
    address, log = folder / "podman.sock", folder / "log"
    with log.open("wb") as output:
        service = subprocess.Popen(
            ["podman", *_runtime(), "system", "service", "--time=30", f"unix://{address}"],
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=output,
            env=dict(environment),
            start_new_session=True,
        )

    def stop() -> None:
        service.terminate()
        with contextlib.suppress(subprocess.TimeoutExpired):
            service.wait(timeout=10)
        shutil.rmtree(folder, ignore_errors=True)

    try:
        _wait_for(address, service)
        return _at(f"unix://{address}", stop)
    except EngineError as error:
        said = log.read_text(errors="replace").strip().splitlines()
        stop()
        raise EngineError(
            f"podman's service does not start: {said[-1] if said else error}; run "
            "`podman info` to see what it lacks"
        ) from error


def _runtime() -> list[str]:
    """crun, Podman's own choice, refuses machines with both versions of control groups; runc does not."""
    hybrid = Path("/sys/fs/cgroup/unified").exists() and shutil.which("runc")
    return ["--runtime", "runc"] if hybrid else []


def _wait_for(address: Path, service: subprocess.Popen[bytes]) -> None:
    """Until the socket accepts a connection, or the service has ended."""
    for _ in range(300):
        if service.poll() is not None:
            raise EngineError("it ended at once")
        with contextlib.suppress(OSError), socket.socket(socket.AF_UNIX) as probe:
            probe.connect(str(address))
            return
        time.sleep(0.1)
    raise EngineError("its socket does not appear")
