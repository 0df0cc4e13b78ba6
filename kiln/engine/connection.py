"""Which container engine is used: the one that `DOCKER_HOST` names, else the Docker socket, else Podman's service."""

from __future__ import annotations

import contextlib
import shutil
import socket
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from kiln.core import EngineError
from kiln.engine import podman
from kiln.engine.conditions import USUAL, Conditions

# The client takes longer to import than a finished build is looked up.
if TYPE_CHECKING:
    from kiln.engine.engine import Engine

SOCKET = Path("/var/run/docker.sock")
# Seconds that the engine may take to answer.
PATIENCE = 120


def docker_socket() -> Literal["answers", "forbidden", "silent"]:
    """Whether something listens on Docker's socket, and whether this user may use it."""
    try:
        with socket.socket(socket.AF_UNIX) as probe:
            probe.connect(str(SOCKET))
    except PermissionError:
        return "forbidden"
    except OSError:
        return "silent"
    return "answers"


@contextlib.contextmanager
def connect(
    environment: Mapping[str, str], patience: int = PATIENCE, conditions: Conditions = USUAL
) -> Iterator[Engine]:
    """A connection to the engine that answers.

    `patience` is how many seconds the engine may take to answer, `conditions` what its containers have beside what they
    are asked for. Raises EngineError if no engine answers, with what to install or start.
    """
    import docker
    import docker.errors

    from kiln.engine.engine import Engine
    from kiln.engine.failures import LOST, first_line

    with contextlib.ExitStack() as stack:
        address = _address(environment)
        cure = "start it, or unset DOCKER_HOST to use podman"
        if address is None:
            address = stack.enter_context(podman.service(environment))
            cure = "`podman info` shows whether podman works"
        try:
            client = docker.DockerClient(base_url=address, timeout=patience)
            engine = stack.enter_context(contextlib.closing(Engine(client, address, patience, conditions)))
        except (docker.errors.DockerException, *LOST) as error:
            raise EngineError(
                f"the container engine at {address} does not answer ({first_line(error)})", cure
            ) from error
        yield engine


@contextlib.contextmanager
def other_engine(environment: Mapping[str, str], name: str) -> Iterator[Mapping[str, str] | None]:
    """The environment in which `connect` takes an engine that is not `name` (Docker or Podman); None where none answers."""
    with contextlib.ExitStack() as stack:
        address = ""
        if name == "Docker" and shutil.which("podman"):
            address = stack.enter_context(podman.service(environment))
        elif name == "Podman" and docker_socket() == "answers":
            address = f"unix://{SOCKET}"
        changed = {**environment, "DOCKER_HOST": address}
        yield changed if address and _name(changed) != name else None


def _name(environment: Mapping[str, str]) -> str:
    with connect(environment) as engine:
        return engine.name


def _address(environment: Mapping[str, str]) -> str | None:
    """The address of an engine that is running; None if Podman's service is to be started."""
    host = environment.get("DOCKER_HOST", "")
    if host:
        if not host.startswith("unix://"):
            raise EngineError(
                f"DOCKER_HOST is {host}, an engine on another machine, which cannot read this machine's folders",
                "unset DOCKER_HOST, or set it to a local unix:// socket",
            )
        return host
    state = docker_socket()
    if state == "answers":
        return f"unix://{SOCKET}"
    if shutil.which("podman"):
        return None
    if state == "forbidden":
        raise EngineError(
            f"this user may not use {SOCKET}",
            "run `sudo usermod -aG docker $USER` and log in again, or install podman, which needs no special "
            "permissions (`sudo apt-get install podman uidmap`)",
        )
    raise EngineError(
        "no container engine answers",
        "install one with `apt-get install --no-install-recommends podman runc catatonit uidmap fuse-overlayfs` "
        "(or run again with --setup), or start Docker",
    )
