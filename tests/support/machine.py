"""A second machine: a container engine with nothing in it, in a network namespace without interfaces or in this one's."""

from __future__ import annotations

import contextlib
import os
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.support.house import House

needs_machine = pytest.mark.skipif(
    os.getuid() != 0 or shutil.which("podman") is None or shutil.which("unshare") is None,
    reason="a second machine is an engine of its own, for root: podman and unshare",
)


@dataclass(frozen=True)
class Machine:
    """What is run on it is this machine's, but for the engine and the network."""

    socket: Path
    network: bool = False

    def run(self, house: House, *arguments: str, **changed: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [*([] if self.network else ["unshare", "--net"]), *house.command(*arguments)],
            env=house.environment(DOCKER_HOST=f"unix://{self.socket}", **changed),
            capture_output=True, text=True, stdin=subprocess.DEVNULL, timeout=900,
        )  # fmt: skip

    def start(self, house: House, *arguments: str) -> subprocess.Popen[str]:
        return subprocess.Popen(
            ["unshare", "--net", *house.command(*arguments)],
            env=house.environment(DOCKER_HOST=f"unix://{self.socket}"),
            stdout=subprocess.PIPE, stderr=subprocess.STDOUT, stdin=subprocess.DEVNULL, text=True,
        )  # fmt: skip


# Podman keeps state in several places of the machine: this engine gets places of its own, which end with it.
PLACES = """
mount --make-rprivate /
mount -t tmpfs tmpfs /run
mount -t tmpfs tmpfs /dev/shm
mount --bind "$1/storage" /var/lib/containers
exec podman $2 system service --time=0 "unix://$1/podman.sock"
"""
# A registry of a test has no certificate.
REGISTRIES = """
[[registry]]
location = "{}"
insecure = true
"""


@contextlib.contextmanager
def machine(registry: str = "") -> Iterator[Machine]:
    """An empty engine, without a network but for one that pulls from a registry on this machine."""
    folder = Path(tempfile.mkdtemp(prefix="kiln-"))
    text = REGISTRIES.format(registry) if registry else ""
    (folder / "registries.conf").write_text(text, encoding="utf-8")
    own = ["--mount"] if registry else ["--net", "--mount"]
    (folder / "storage").mkdir()
    hybrid = Path("/sys/fs/cgroup/unified").exists() and shutil.which("runc")
    script = ["sh", "-euc", PLACES, "sh", str(folder), "--runtime=runc" if hybrid else "--log-level=error"]
    with (folder / "log").open("w") as log:
        service = subprocess.Popen(
            ["unshare", *own, *script],
            env={**os.environ, "CONTAINERS_REGISTRIES_CONF": str(folder / "registries.conf")},
            stdin=subprocess.DEVNULL, stdout=log, stderr=log,
        )  # fmt: skip
    try:
        while not (folder / "podman.sock").exists():
            assert service.poll() is None, (folder / "log").read_text()
            with contextlib.suppress(subprocess.TimeoutExpired):
                service.wait(timeout=0.05)
        yield Machine(folder / "podman.sock", bool(registry))
    finally:
        service.terminate()
        service.wait()
        shutil.rmtree(folder, ignore_errors=True)
