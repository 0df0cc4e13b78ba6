"""Podman's service, which Kiln starts and which ends with it, and the real engine's answers."""

from __future__ import annotations

import contextlib
import os
import re
import select
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from kiln.core import EngineError
from kiln.engine import connect, podman
from tests.support.repository import ROOT

pytestmark = pytest.mark.skipif(shutil.which("podman") is None, reason="podman is not installed")

HOLDER = """\
import os, pathlib
from kiln.engine import connection
connection.SOCKET = pathlib.Path("/nowhere")
environment = {key: value for key, value in os.environ.items() if key != "DOCKER_HOST"}
with connection.connect(environment) as engine:
    print(engine.name, flush=True)
    input()
"""


@pytest.fixture
def folders(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A short path for sockets, and nothing of other processes."""
    with tempfile.TemporaryDirectory(prefix="kiln-test-", dir="/tmp") as folder:
        monkeypatch.setenv("TMPDIR", folder)
        monkeypatch.setattr(tempfile, "tempdir", None)
        yield Path(folder)


@contextlib.contextmanager
def holder() -> Iterator[subprocess.Popen[str]]:
    """A process that holds an engine until this ends, or it is killed."""
    process = subprocess.Popen(
        [sys.executable, "-c", HOLDER],
        cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
    )  # fmt: skip
    try:
        assert process.stdout and process.stdout.readline() == "Podman\n"
        yield process
    finally:
        process.communicate("\n")


def services(folder: Path) -> list[int]:
    """The living processes that serve on a socket in a folder."""
    return processes("podman .*service.* unix://" + re.escape(f"{folder}/"))


def guards(folder: Path) -> list[int]:
    """The living processes that would end such a service."""
    return processes("sh -c read .*" + re.escape(f"{folder}/"))


def processes(pattern: str) -> list[int]:
    """The living processes with such a command line; not a child that has not begun its own program yet."""
    found = {}
    for path in Path("/proc").iterdir():
        with contextlib.suppress(OSError):
            if path.name.isdigit() and re.match(pattern, command(path)):
                parent = (path / "stat").read_text().rpartition(")")[2].split()[1]
                found[int(path.name)] = int(parent)
    return [pid for pid, parent in found.items() if parent not in found]


def command(process: Path) -> str:
    return (process / "cmdline").read_bytes().replace(b"\0", b" ").decode(errors="replace")


@contextlib.contextmanager
def ended(pids: list[int]) -> Iterator[None]:
    """Wait at the end until processes have ended, however slow the machine is."""
    handles = [os.pidfd_open(pid) for pid in pids]
    yield
    for handle in handles:
        select.select([handle], [], [])
        os.close(handle)


def test_a_service_that_kiln_holds_does_not_end_for_want_of_calls(folders: Path) -> None:
    with holder():
        (service,) = services(folders)
        assert "--time=0" in command(Path(f"/proc/{service}"))


def test_a_service_ends_with_the_connection_and_leaves_nothing(folders: Path) -> None:
    with holder() as process:
        pass
    assert process.returncode == 0
    assert services(folders) == [] and guards(folders) == []
    assert list(folders.iterdir()) == []


def test_a_service_ends_when_kiln_is_killed_and_leaves_nothing(folders: Path) -> None:
    with holder() as process, ended([*services(folders), *guards(folders)]):
        process.kill()
    assert services(folders) == [] and guards(folders) == []
    assert list(folders.iterdir()) == []


def test_what_even_the_guard_could_not_end_the_next_connection_removes(folders: Path) -> None:
    with holder() as process:
        (guard,), (left,) = guards(folders), services(folders)
        os.kill(guard, signal.SIGKILL)
        process.kill()
    (folder,) = folders.iterdir()
    assert services(folders) == [left]
    with ended([left]), holder():
        assert not folder.exists()


def test_a_service_that_another_process_holds_is_left_alone(folders: Path) -> None:
    with holder():
        (first,) = services(folders)
        with holder():
            assert len(services(folders)) == 2
        assert services(folders) == [first]
        (folder,) = folders.iterdir()
        with socket.socket(socket.AF_UNIX) as probe:
            probe.connect(str(folder / "podman.sock"))


def program(folder: Path, text: str) -> dict[str, str]:
    """An environment in which `podman` is a script."""
    path = folder / "bin" / "podman"
    path.parent.mkdir()
    path.write_text(f"#!/bin/sh\n{text}\n")
    path.chmod(0o755)
    return {"PATH": f"{path.parent}:{os.environ['PATH']}"}


def test_a_service_that_ends_at_once_is_reported_in_its_own_words(folders: Path, tmp_path: Path) -> None:
    environment = program(tmp_path, "echo 'cannot find newuidmap' >&2; exit 125")
    with pytest.raises(EngineError) as raised, podman.service(environment):
        pass
    assert raised.value.what == "podman's service does not start (cannot find newuidmap)"
    assert raised.value.cure == "`podman info` shows what is missing"
    assert list(folders.iterdir()) == []


def test_a_service_that_never_answers_is_given_up_and_stopped(folders: Path, tmp_path: Path) -> None:
    gate = tmp_path / "gate"
    os.mkfifo(gate)
    environment = program(tmp_path, f"read -r go < {gate}")
    refused = pytest.raises(
        EngineError, match="does not answer after 0 s: wait until this machine is less busy"
    )
    with refused, podman.service(environment, patience=0):
        pass
    assert services(folders) == [] and list(folders.iterdir()) == []


def test_an_engine_that_does_not_answer_is_named(tmp_path: Path) -> None:
    with pytest.raises(EngineError, match="nowhere"), connect({"DOCKER_HOST": "unix:///nowhere"}):
        pass
