from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import grpc
import pytest

from kiln.core import UsageError
from kiln.shared import Executor, ExecutorClient, relay
from kiln.shared.channel import API
from kiln.shared.client import FAILURES, PAUSE
from kiln.shared.remote import BYTES
from kiln.shared.wire import Digest, Fields, message
from tests.support.remote_server import RemoteObjects, remote_server

COMMAND = message((1, b"gcc"), (3, b"out/b.o"), (3, b"out/a.o"), (4, b"tree"))
CAS = f"{API}.ContentAddressableStorage"


@pytest.fixture
def server() -> Iterator[RemoteObjects]:
    with remote_server("Bearer secret") as found:
        yield found


@pytest.fixture
def said() -> list[str]:
    return []


@pytest.fixture
def client(server: RemoteObjects, said: list[str]) -> ExecutorClient:
    return ExecutorClient.of(Executor(server.url, "secret"), "a toolchain", said.append)


@pytest.fixture
def step(client: ExecutorClient, tmp_path: Path) -> Iterator[grpc.Channel]:
    """What a step sees of it: the socket in its folder, whose path is longer than that of a socket may be."""
    folder = tmp_path / ("x" * 120)
    folder.mkdir()
    with client.opened(folder):
        (tmp_path / "link").symlink_to(folder)
        with grpc.insecure_channel(f"unix:{tmp_path}/link/{relay.GRPC}") as channel:
            yield channel


def ask(channel: grpc.Channel, method: str, request: bytes) -> list[bytes]:
    return list(channel.unary_stream(method)(request, timeout=20))


def code(channel: grpc.Channel, method: str, request: bytes = b"") -> str:
    with pytest.raises(grpc.RpcError) as refused:
        ask(channel, method, request)
    return str(refused.value.code().name)


def given(server: RemoteObjects, content: bytes) -> bytes:
    digest = Digest.of(content)
    server.blobs[digest.sha256] = content
    return digest.message()


def action(server: RemoteObjects, command: bytes = COMMAND) -> bytes:
    """The request to run an action whose command the server has."""
    return message((6, given(server, message((1, given(server, command)), (2, b"inputs")))))


def test_an_action_of_old_bazel_is_run_with_its_outputs_as_paths_and_counted(
    step: grpc.Channel, server: RemoteObjects, client: ExecutorClient
) -> None:
    request = action(server)
    for _ in range(2):
        answers = ask(step, f"{API}.Execution/Execute", request)
        assert [Fields(each).number(3) for each in answers] == [0, 1]
    assert client.value() == {"run": 2, "known": 0, "failed": 0}
    first, second = server.ran
    assert first == second != request
    new = Fields(server.blobs[Digest.read(Fields(first).value(6)).sha256])
    command = Fields(server.blobs[Digest.read(new.value(1)).sha256])
    assert command.every(7) == [b"out/a.o", b"out/b.o", b"tree"]
    assert command.every(3) == [b"out/b.o", b"out/a.o"] and new.value(2) == b"inputs"

    server.kept[Digest.read(Fields(first).value(6)).sha256] = b""
    ask(step, f"{API}.Execution/Execute", request)
    assert client.value() == {"run": 2, "known": 1, "failed": 0}


def test_an_action_of_new_bazel_is_run_as_it_is(step: grpc.Channel, server: RemoteObjects) -> None:
    request = action(server, message((1, b"gcc"), (7, b"out/a.o")))
    ask(step, f"{API}.Execution/Execute", request)
    assert server.ran == [request]


def test_a_step_takes_and_gives_objects_and_writes_no_result(
    step: grpc.Channel, server: RemoteObjects
) -> None:
    digest = Digest.of(b"an object" * 9000)
    name = f"uploads/1/blobs/{digest.sha256}/{digest.size}".encode()
    write = message((1, name), (3, 1), (10, b"an object" * 9000))
    ask(step, f"{BYTES}/Write", write)
    read = ask(step, f"{BYTES}/Read", message((1, f"blobs/{digest.sha256}/{digest.size}".encode())))
    assert b"".join(Fields(each).value(10) for each in read) == b"an object" * 9000
    known = dict(server.kept)
    assert code(step, f"{API}.ActionCache/UpdateActionResult", write) == "PERMISSION_DENIED"
    assert code(step, "/google.devtools.remoteworkers.v1test2.Bots/CreateBotSession") == "PERMISSION_DENIED"
    assert code(step, f"{API}.ActionCache/GetActionResult") == "NOT_FOUND"
    assert server.kept == known
    assert set(server.seen) == {"Bearer secret"}


@pytest.mark.parametrize("mode", ["gone", "error"])
def test_an_executor_that_fails_is_left_alone_for_a_while_and_that_is_said_once(
    server: RemoteObjects, said: list[str], tmp_path: Path, mode: str
) -> None:
    moment = [1000.0]
    made = ExecutorClient.of(Executor(server.url, "secret"), "a toolchain", said.append, lambda: moment[0])
    request = action(server)
    with made.opened(tmp_path), grpc.insecure_channel(f"unix:{tmp_path}/{relay.GRPC}") as step:
        server.mode = mode
        for _ in range(3 * FAILURES):
            assert code(step, f"{API}.Execution/Execute", request) == "UNAVAILABLE"
        assert made.counts.failed == FAILURES and len(said) == 1
        assert "is not used for a while: what it would run is run here" in said[0]
        server.mode = "well"
        assert code(step, f"{API}.Execution/Execute", request) == "UNAVAILABLE"
        moment[0] += PAUSE + 1
        ask(step, f"{API}.Execution/Execute", request)
    assert made.counts.run == 1 and "secret" not in made.summary() + said[0]


def test_a_server_that_is_not_there_or_refuses_the_login_is_named_before_anything_is_built(
    server: RemoteObjects,
) -> None:
    for url, login, says in (
        (server.url, "guessed", "UNAUTHENTICATED"),
        ("grpc://127.0.0.1:1", "", "UNAVAILABLE"),
    ):
        with pytest.raises(UsageError) as refused:
            ExecutorClient.of(Executor(url, login), "a toolchain", print)
        assert (
            says in refused.value.what and url in refused.value.what and "guessed" not in str(refused.value)
        )


def test_what_the_executor_can_do_is_known_also_when_it_has_gone(
    step: grpc.Channel, server: RemoteObjects
) -> None:
    server.mode = "gone"
    for _ in range(2 * FAILURES):
        (found,) = ask(step, f"{API}.Capabilities/GetCapabilities", b"")
        assert Fields(Fields(found).value(2)).number(2) == 1
        # Bazel 0.26.1 crashes where this one fails.
        assert ask(step, f"{CAS}/FindMissingBlobs", b"") == [b""]
