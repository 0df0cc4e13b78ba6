"""A container's settings, and how its output and exit status are read."""

from __future__ import annotations

import resource
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

import docker
import docker.errors
import requests
from docker.models.containers import Container
from docker.types import Mount as DockerMount
from docker.types import Ulimit

from kiln.engine.run import Mount, Run
from kiln.plan import Limits

OPEN_FILES = 16384
# The system calls of a build: none that mounts, makes namespaces, traces, or changes the machine, and sockets of the
# usual kinds alone.
PROFILE = Path(__file__).with_name("seccomp.json")
# What a container may write beside its mounts: in memory, which counts as its own. Podman has the last two by itself, each
# as large as half of the machine's memory.
IN_MEMORY = {
    "/tmp": "rw,exec,mode=1777,size=1g",  # noqa: S108
    "/var/tmp": "rw,mode=1777,size=1g",  # noqa: S108
    "/run": "rw,mode=755,size=64m",
}


def host_config(api: docker.APIClient, run: Run, seccomp: str, more: Iterable[Mount] = ()) -> dict[str, Any]:
    """The settings of the run's container, with `more` mounts, in the form of the engine's API.

    `seccomp` is the profile of system calls as the engine takes it.
    """
    settings: dict[str, Any] = api.create_host_config(
        mounts=[
            DockerMount(mount.target, str(mount.source), type="bind", read_only=not mount.writable)
            for mount in (*run.mounts, *more)
        ],
        network_mode=run.limits.network,
        read_only=run.limits.root_file_system == "read-only",
        cap_drop=["ALL"],
        security_opt=["no-new-privileges", f"seccomp={seccomp}"],
        pids_limit=run.limits.processes,
        mem_limit=run.memory or None,
        # Swap space is the machine's own affair.
        memswap_limit=-1 if run.memory else None,
        tmpfs=IN_MEMORY,
        init=True,
        ulimits=ulimits(run.limits),
    )
    return settings


def output(container: Container) -> Iterator[str]:
    """The lines of a container's output, as they come.

    Podman does not answer before the first line, which may take longer than the client waits for an answer.
    """
    while True:
        try:
            return _lines(container.logs(stream=True, follow=True))
        except requests.exceptions.ReadTimeout:
            container.reload()


def status(container: Container, patience: int) -> int:
    """The exit status of a container whose output has ended. Raises docker.errors.NotFound if it was removed.

    An engine that lost the container's state (because a second engine uses the same storage) never answers: after each
    `patience` seconds the container is looked up again.
    """
    while True:
        try:
            answer: Mapping[str, Any] = container.wait(timeout=patience)
            break
        except (requests.exceptions.ConnectionError, requests.exceptions.ReadTimeout):
            container.reload()
            if container.status != "running":
                raise
    # For a container that is being removed Podman may answer with the status 0: only one that is still there counts.
    container.reload()
    problem = (answer.get("Error") or {}).get("Message")
    if problem or container.status == "removing":
        raise docker.errors.NotFound(problem or "the container is being removed")
    return int(answer["StatusCode"])


def ulimits(limits: Limits) -> list[Ulimit]:
    """Limits that every engine can set: without them, Podman 4's service asks for more than it is allowed."""
    _, own = resource.getrlimit(resource.RLIMIT_NOFILE)
    files = OPEN_FILES if own == resource.RLIM_INFINITY else min(own, OPEN_FILES)
    return [
        Ulimit(name="nofile", soft=files, hard=files),
        Ulimit(name="nproc", soft=limits.processes, hard=limits.processes),
    ]


def _lines(stream: Iterator[bytes]) -> Iterator[str]:
    """Chunks of output as whole lines."""
    rest = b""
    for chunk in stream:
        *whole, rest = (rest + chunk).split(b"\n")
        for line in whole:
            yield line.decode("utf-8", "replace").rstrip("\r")
    if rest:
        yield rest.decode("utf-8", "replace")
