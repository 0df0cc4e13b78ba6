from __future__ import annotations

import contextlib
import socket
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from kiln.core import UsageError
from kiln.shared import HelpedBuild, Helper, distcc, helpers_of


@contextlib.contextmanager
def machine(folder: Path, toolchain: str) -> Iterator[Helper]:
    """A machine that answers each file with the same in capitals, by one compiler that waits at its socket."""
    folder.mkdir()
    with distcc.helping(Helper("127.0.0.1", 0), toolchain, folder) as port:

        def compiler() -> None:
            while True:
                with socket.socket(socket.AF_UNIX) as call:
                    try:
                        call.connect(str(folder / distcc.WAITING))
                        call.recv(1)
                    except OSError:
                        return
                    while block := call.recv(1 << 16):
                        call.sendall(block.upper())

        threading.Thread(target=compiler, daemon=True).start()
        yield Helper("127.0.0.1", port)


@pytest.fixture
def programs(tmp_path: Path) -> Path:
    (tmp_path / "programs").mkdir()
    (tmp_path / "programs" / "distcc-connect").touch()
    return tmp_path / "programs"


@pytest.fixture
def said() -> list[str]:
    return []


def compiled(folder: Path, text: bytes, number: int = 0) -> bytes:
    """What a step's distcc gets back for a file."""
    with socket.socket(socket.AF_UNIX) as call:
        call.connect(str(folder / f"{distcc.WAITING}-{number}"))
        answer = b""
        with contextlib.suppress(OSError):
            call.sendall(text)
            call.shutdown(socket.SHUT_WR)
            while block := call.recv(1 << 16):
                answer += block
        return answer


def test_files_are_compiled_by_a_machine_with_the_same_toolchain_and_counted(
    tmp_path: Path, programs: Path, said: list[str]
) -> None:
    with machine(tmp_path / "one", "ours") as helper:
        build = HelpedBuild((helper,), programs, "ours", said.append)
        with build.opened(tmp_path):
            assert [compiled(tmp_path, text) for text in (b"a file", b"another" * 50_000)] == [
                b"A FILE",
                b"ANOTHER" * 50_000,
            ]
    assert build.value() == {"sent": 2, "failed": 0} and not said
    assert str(helper) in build.summary()


def test_a_machine_with_another_toolchain_or_none_is_named_once_and_compiles_nothing(
    tmp_path: Path, programs: Path, said: list[str]
) -> None:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        gone = Helper("127.0.0.1", free.getsockname()[1])
        with machine(tmp_path / "one", "theirs") as other:
            build = HelpedBuild((other, gone), programs, "ours", said.append)
            with build.opened(tmp_path):
                assert [compiled(tmp_path, b"a file", number) for number in (0, 1, 0, 1)] == [b""] * 4
    assert build.value() == {"sent": 0, "failed": 4}
    first, second = said
    assert f"{other} has another toolchain: what it would compile is compiled here" in first
    assert f"{gone} does not answer" in second


@pytest.mark.parametrize("line", [b"GET / HTTP/1.1\r\n", b"kiln-distcc-1 theirs\n", b"x" * 1000])
def test_who_does_not_name_the_toolchain_gets_no_compiler(tmp_path: Path, line: bytes) -> None:
    with (
        machine(tmp_path / "one", "ours") as helper,
        socket.create_connection((helper.host, helper.port)) as call,
    ):
        call.sendall(line)
        assert call.makefile("rb").readline() == b"another toolchain\n"


def test_machines_are_named_by_the_option_or_the_environment(programs: Path, tmp_path: Path) -> None:
    assert helpers_of({}) == helpers_of({"KILN_DISTCC": "a:1"}, "off") == ()
    assert helpers_of({"KILN_DISTCC": "a:1"}, "one.example:3632/8, [::1]:2") == (
        Helper("one.example", 3632, 8), Helper("::1", 2, 4),
    )  # fmt: skip
    for wrong in ("one.example", "a:1/0", "a:1,,b:2", "a:70000", "grpc://a:1"):
        with pytest.raises(UsageError, match="not a machine with a port"):
            helpers_of({}, wrong)
    with pytest.raises(UsageError, match=r"ci/farm/programs\.sh"):
        HelpedBuild((Helper("a", 1),), tmp_path / "none", "ours", print)
