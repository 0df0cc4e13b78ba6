"""distcc: machines that compile single files for others, as a build and as such a machine see them.

Both ends are Kiln's: neither container has a network, and a call goes to a machine with the same toolchain alone.
"""

from __future__ import annotations

import contextlib
import queue
import socket
import socketserver
import threading
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from kiln.core import BLOCK, UsageError, shown
from kiln.shared.settings import Helper
from kiln.shared.sockets import FOLDER, UnixServer, serving

# Where distcc's programs are in a container, and the socket at which a helper's container waits for calls.
PROGRAMS, WAITING = "/kiln/worker", "distcc"
# The first line of a call, and what is answered where the toolchain is the same.
GREETING, WELCOME = "kiln-distcc-1", b"welcome\n"
# In seconds: to reach a machine, to be given a free compiler there, and for one compile.
CONNECT, FREE, LONGEST = 5, 120, 1800


@dataclass
class HelpCounts:
    """Files that were `sent` to other machines and compiled there, and calls that `failed`."""

    sent: int = 0
    failed: int = 0


def with_programs(folder: Path, name: str) -> Path:
    """A folder that `ci/farm/programs.sh` has made; UsageError where it is not one."""
    if not (folder / name).is_file():
        raise UsageError(
            f"{folder.absolute()} has no program {name}", "make the folder with ci/farm/programs.sh FOLDER"
        )
    return folder.absolute()


class HelpedBuild:
    """The machines that compile for one build; `toolchain` is what they must have, `programs` the folder with distcc.

    Raises UsageError where it is not there.
    """

    def __init__(
        self, helpers: tuple[Helper, ...], programs: Path, toolchain: str, note: Callable[[str], None]
    ) -> None:
        self.helpers, self.toolchain, self.counts = helpers, toolchain, HelpCounts()
        self.programs = with_programs(programs, "distcc-connect")
        self._note, self._lock = note, threading.Lock()
        self._said: set[Helper] = set()

    @property
    def jobs(self) -> int:
        """How many files they compile at once."""
        return sum(each.jobs for each in self.helpers)

    @property
    def addresses(self) -> str:
        return ",".join(map(str, self.helpers))

    def variables(self) -> dict[str, str]:
        """How ccache finds distcc, and distcc the sockets of the machines."""
        hosts = (f"@{number}/{each.jobs}" for number, each in enumerate(self.helpers))
        return {
            "CCACHE_PREFIX": f"{PROGRAMS}/distcc",
            "DISTCC_HOSTS": " ".join(hosts),
            "DISTCC_SSH": f"{PROGRAMS}/distcc-connect",
            "KILN_DISTCC_SOCKETS": f"{FOLDER}/{WAITING}-",
        }

    @contextlib.contextmanager
    def opened(self, folder: Path) -> Iterator[None]:
        """Answer on a socket for each machine in a folder until this context ends."""
        with contextlib.ExitStack() as stack:
            for number, helper in enumerate(self.helpers):
                handler = type("Handler", (_Call,), {"helped": self, "helper": helper})
                stack.enter_context(serving(UnixServer(folder, f"{WAITING}-{number}", handler)))
            yield

    def summary(self) -> str:
        """What they were good for, in one line."""
        failed = f", {self.counts.failed} calls failed" if self.counts.failed else ""
        return f"distcc {self.addresses}: {self.counts.sent} files were sent there{failed}"

    def value(self) -> dict[str, int]:
        """The counts for a record."""
        return asdict(self.counts)

    def carry(self, near: socket.socket, helper: Helper) -> None:
        """Carry one call of distcc's to a machine, and its answer back."""
        try:
            with socket.create_connection((helper.host, helper.port), CONNECT) as far:
                far.settimeout(FREE)
                far.sendall(f"{GREETING} {self.toolchain}\n".encode())
                answer = _line(far)
                if answer != WELCOME:
                    self._failed(helper, "has another toolchain")
                    return
                with self._lock:
                    self.counts.sent += 1
                _pump(near, far)
        except OSError as error:
            self._failed(helper, f"does not answer ({error.strerror or error})")

    def _failed(self, helper: Helper, why: str) -> None:
        with self._lock:
            self.counts.failed += 1
            if helper in self._said:
                return
            self._said.add(helper)
        self._note(shown(f"distcc's machine {helper} {why}: what it would compile is compiled here"))


class _Call(socketserver.BaseRequestHandler):
    helped: HelpedBuild
    helper: Helper

    def handle(self) -> None:
        self.helped.carry(self.request, self.helper)


@contextlib.contextmanager
def helping(address: Helper, toolchain: str, folder: Path) -> Iterator[int]:
    """Give calls at an address to the compilers of a container that wait at a socket in a folder; the value is the port."""
    free: queue.Queue[_Free] = queue.Queue()
    waiting = type("Waiting", (_Waiting,), {"free": free})
    incoming = type("Incoming", (_Incoming,), {"free": free, "toolchain": toolchain})
    with (
        serving(UnixServer(folder, WAITING, waiting)),
        serving(_TcpServer((address.host, address.port), incoming)) as tcp,
    ):
        yield int(tcp.server_address[1])


class _TcpServer(socketserver.ThreadingTCPServer):
    daemon_threads, allow_reuse_address, request_queue_size = True, True, 128
    block_on_close = False

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Say nothing: who ends in the middle is on its own."""


@dataclass
class _Free:
    """A compiler that waits: its connection, and what tells that it has done its work."""

    sock: socket.socket
    done: threading.Event


class _Waiting(socketserver.BaseRequestHandler):
    free: queue.Queue[_Free]

    def handle(self) -> None:
        own = _Free(self.request, threading.Event())
        self.free.put(own)
        own.done.wait()


class _Incoming(socketserver.BaseRequestHandler):
    free: queue.Queue[_Free]
    toolchain: str

    def handle(self) -> None:
        self.request.settimeout(CONNECT)
        if _line(self.request) != f"{GREETING} {self.toolchain}\n".encode():
            self.request.sendall(b"another toolchain\n")
            return
        compiler = self.free.get(timeout=FREE)
        try:
            self.request.sendall(WELCOME)
            compiler.sock.sendall(b"+")
            _pump(self.request, compiler.sock)
        finally:
            compiler.done.set()


def _line(sock: socket.socket) -> bytes:
    """The first line that comes, of at most 200 bytes."""
    line = b""
    while not line.endswith(b"\n") and len(line) < 200:
        block = sock.recv(1)
        if not block:
            break
        line += block
    return line


def _pump(one: socket.socket, other: socket.socket) -> None:
    """Carry everything between two connections, until both have ended."""

    def copy(source: socket.socket, target: socket.socket) -> None:
        with contextlib.suppress(OSError):
            while block := source.recv(BLOCK):
                target.sendall(block)
        with contextlib.suppress(OSError):
            target.shutdown(socket.SHUT_WR)

    for each in (one, other):
        each.settimeout(LONGEST)
    back = threading.Thread(target=copy, args=(other, one), daemon=True)
    back.start()
    copy(one, other)
    back.join()
