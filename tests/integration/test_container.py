"""What a build's container cannot do, tried from inside."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from kiln import plan
from kiln.engine import Engine, Run, connect, toolchain
from kiln.plan import Limits
from kiln.recipe import Catalogue
from tests.support.house import Finished

MB = 2**20

# Each prints the error of a system call, which has to be one of refusal and not of wrong arguments.
CALLS = """
import ctypes, errno, os, socket, sys
libc = ctypes.CDLL(None, use_errno=True)
calls = {
    "unshare": (272, 0x10000000), "clone": (56, 0x10000000 | 17, 0, 0, 0, 0), "clone3": (435, 0, 0),
    "setns": (308, -1, 0), "mount": (165, b"none", b"/tmp", b"tmpfs", 0, 0), "umount": (166, b"/tmp", 0),
    "pivot_root": (155, b"/tmp", b"/tmp"), "fsopen": (430, b"tmpfs", 0), "ptrace": (101, 0, 0, 0, 0),
    "keyctl": (250, 0, -3, 0), "bpf": (321, 0, 0, 0), "userfaultfd": (323, 0), "perf_event_open": (298, 0, 0, -1, -1, 0),
    "io_uring_setup": (425, 1, 0), "process_vm_readv": (310, os.getpid(), 0, 0, 0, 0, 0), "reboot": (169, 0, 0, 0, 0),
    "chroot": (161, b"/tmp"), "settimeofday": (164, 0, 0),
}
for name, (number, *arguments) in calls.items():
    ctypes.set_errno(0)
    status = libc.syscall(number, *arguments)
    if name == "clone" and status == 0:
        os._exit(0)
    print(name, "allowed" if status >= 0 else errno.errorcode[ctypes.get_errno()])
for family in (socket.AF_VSOCK, socket.AF_ALG, socket.AF_PACKET):
    try:
        print(family, "allowed", socket.socket(family, socket.SOCK_STREAM))
    except OSError as error:
        print(family.name, errno.errorcode[error.errno])
for family in (socket.AF_UNIX, socket.AF_INET, socket.AF_INET6, socket.AF_NETLINK):
    socket.socket(family, socket.SOCK_RAW if family == socket.AF_NETLINK else socket.SOCK_STREAM)
print("usual sockets")
"""


@pytest.fixture(scope="module")
def engine() -> Iterator[Engine]:
    with connect(os.environ) as engine:
        yield engine


@pytest.fixture(scope="module")
def image(finished: Finished) -> str:
    """The toolchain of the toy."""
    planned = plan.make(Catalogue(finished.house.root), plan.Request("toy"))
    return toolchain.images_of(planned).toolchain


def run(
    engine: Engine, image: str, *command: str, memory: int = 0, limits: Limits | None = None
) -> tuple[int, list[str]]:
    lines: list[str] = []
    asked = Run(image, command, "test-container", memory=memory, limits=limits or Limits())
    return engine.run(asked, lines.append), lines


@pytest.mark.parametrize(
    "command",
    [
        "unshare -rm true",
        "unshare --user true",
        "unshare --mount true",
        "mount -t tmpfs none /tmp",
        "unshare --net true",
    ],
)
def test_there_are_no_namespaces_and_no_mounts_inside(engine: Engine, image: str, command: str) -> None:
    status, lines = run(engine, image, *command.split())
    assert status not in (0, 127), lines
    assert "not permitted" in lines[0] or "must be superuser" in lines[0]


def test_calls_that_no_build_makes_are_refused_and_those_of_builds_are_not(
    engine: Engine, image: str
) -> None:
    status, lines = run(engine, image, "python3", "-c", CALLS)
    assert (status, lines[-1]) == (0, "usual sockets")
    assert [line for line in lines[:-1] if line.split()[-1] not in ("EPERM", "ENOSYS")] == []
    assert len(lines) == 22


def test_a_step_that_takes_more_and_more_memory_is_ended(engine: Engine, image: str) -> None:
    status, lines = run(
        engine, image, "bash", "-c", "head -c 600M /dev/zero | tail -c 600M | wc -c", memory=200 * MB
    )
    assert str(600 * MB) not in lines
    status, lines = run(
        engine, image, "bash", "-c", "head -c 60M /dev/zero | tail -c 60M | wc -c", memory=200 * MB
    )
    assert (status, lines) == (0, [str(60 * MB)])
    assert not Path("oom").exists(), "the engine leaves files where it runs"


def test_what_is_in_memory_has_a_size(engine: Engine, image: str) -> None:
    script = (
        "df --block-size=1 --type tmpfs --output=target,size | tail -n +2;"
        "df --block-size=1 --output=target,size /dev/shm"
    )
    status, lines = run(
        engine, image, "bash", "-c", f"{script}; touch /tmp/x; echo 'echo runs' > /tmp/x; bash /tmp/x"
    )
    assert status == 0 and lines[-1] == "runs"
    sizes = {
        target: int(size) for target, size in (line.split() for line in lines[:-1] if line.startswith("/"))
    }
    assert {"/tmp", "/dev/shm"} <= set(sizes)  # noqa: S108
    writable = {target: size for target, size in sizes.items() if not target.startswith(("/sys", "/proc"))}
    assert max(writable.values()) <= 2**30, writable


def test_there_is_an_end_to_processes(engine: Engine, image: str) -> None:
    script = "for each in {1..700}; do sleep 60 & done; jobs -p | wc -l"
    _, lines = run(engine, image, "bash", "-c", script, limits=Limits(processes=500))
    assert "Resource temporarily unavailable" in "\n".join(lines)
