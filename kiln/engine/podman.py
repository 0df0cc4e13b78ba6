"""Podman's service, which Kiln starts for one command and which ends with Kiln, however Kiln ends."""

from __future__ import annotations

import contextlib
import fcntl
import os
import shutil
import signal
import socket
import subprocess
import tempfile
import time
from collections.abc import Iterator, Mapping
from pathlib import Path

from kiln.core import EngineError

PREFIX = "kiln-podman-"
# Seconds until a service that is still starting is given up: a busy machine may need minutes.
STARTING = 600
# Seconds until a service that does not end by itself is killed.
STOPPING = 60

# Stops the service and removes its folder once standard input is closed, which the kernel does when Kiln is killed.
_GUARD = 'read -r service; cat > /dev/null; kill "$service"; rm -rf "$1"'


@contextlib.contextmanager
def service(environment: Mapping[str, str], patience: float = STARTING) -> Iterator[str]:
    """Start Podman's service on a socket of its own, and stop it at the end; the value is its address.

    What a killed run left behind is removed first. Raises EngineError if the service ends at once, or does not answer
    within `patience` seconds.
    """
    _clean_up()
    with contextlib.ExitStack() as stack:
        folder = Path(tempfile.mkdtemp(prefix=PREFIX))
        stack.callback(shutil.rmtree, folder, ignore_errors=True)
        stack.enter_context(_held(folder))
        address, log = folder / "podman.sock", folder / "log"
        with log.open("wb") as output:
            process = subprocess.Popen(
                # It would stop by itself after a time without calls, and a build may need none for many minutes.
                ["podman", *runtime(), "system", "service", "--time=0", f"unix://{address}"],
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=output,
                env=dict(environment),
                # conmon writes a file `oom` where it runs when a container wants more memory than it may have.
                cwd=folder,
                start_new_session=True,
            )
        stack.callback(_stop, process)
        (folder / "pid").write_text(str(process.pid), encoding="utf-8")
        stack.enter_context(_guarded(process.pid, folder))
        _wait_for(address, process, log, patience)
        yield f"unix://{address}"


def runtime() -> list[str]:
    """Options for the runtime: crun, Podman's choice, does not work with both versions of control groups; runc does."""
    hybrid = Path("/sys/fs/cgroup/unified").exists() and shutil.which("runc")
    return ["--runtime", "runc"] if hybrid else []


def _wait_for(address: Path, process: subprocess.Popen[bytes], log: Path, patience: float) -> None:
    """Wait until the socket accepts a connection, for as long as the process lives."""
    deadline = time.monotonic() + patience
    while process.poll() is None:
        with contextlib.suppress(OSError), socket.socket(socket.AF_UNIX) as probe:
            probe.connect(str(address))
            return
        if time.monotonic() >= deadline:
            raise EngineError(
                f"podman's service has started but does not answer after {patience:.0f} s",
                "wait until this machine is less busy and run again; `podman info` shows whether podman works",
            )
        with contextlib.suppress(subprocess.TimeoutExpired):
            process.wait(timeout=0.1)
    lines = log.read_text(encoding="utf-8", errors="replace").strip().splitlines()
    raise EngineError(
        f"podman's service does not start ({lines[-1] if lines else f'status {process.returncode}'})",
        "`podman info` shows what is missing",
    )


def _stop(process: subprocess.Popen[bytes]) -> None:
    process.terminate()
    try:
        process.wait(timeout=STOPPING)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()


@contextlib.contextmanager
def _guarded(pid: int, folder: Path) -> Iterator[None]:
    """Have a process stop the service if this one is killed."""
    guard = subprocess.Popen(
        ["sh", "-c", _GUARD, "sh", str(folder)],
        stdin=subprocess.PIPE,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        start_new_session=True,
    )
    with guard:
        if guard.stdin:
            guard.stdin.write(f"{pid}\n".encode())
            guard.stdin.flush()
        try:
            yield
        finally:
            guard.kill()


@contextlib.contextmanager
def _held(folder: Path) -> Iterator[None]:
    """Hold the folder's lock, which is free as soon as this process has ended."""
    with (folder / "new-lock").open("w") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        # No other process ever sees the lock before it is held.
        (folder / "new-lock").rename(folder / "lock")
        yield


def _clean_up() -> None:
    """Stop the services, and remove the folders, that no living process holds."""
    for folder in Path(tempfile.gettempdir()).glob(f"{PREFIX}*"):
        # A lock that is held, a folder of another user, or one that another process is removing.
        with contextlib.suppress(OSError), (folder / "lock").open() as file:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            _end_service(folder)
            # The service removes its own socket meanwhile.
            shutil.rmtree(folder, ignore_errors=True)


def _end_service(folder: Path) -> None:
    """End the service of a folder if it is still running; its process id may be another program's now."""
    with contextlib.suppress(OSError, ValueError):
        pid = int((folder / "pid").read_text(encoding="utf-8"))
        if str(folder).encode() in Path(f"/proc/{pid}/cmdline").read_bytes():
            os.kill(pid, signal.SIGTERM)
