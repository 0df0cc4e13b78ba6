"""A server of the remote execution API on loopback: objects, results, and actions that it says to have run."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import grpc

from kiln.shared.wire import Digest, Fields, message
from tests.support.object_server import Objects


class RemoteObjects(Objects):
    """`kept` has the results by the digest of their action, `blobs` the objects by sha256.

    `ran` has each Execute request; each is answered with the result that `kept` has for it, or an empty one.
    """

    def __init__(self, login: str = "") -> None:
        super().__init__(login)
        self.blobs: dict[str, bytes] = {}
        self.ran: list[bytes] = []

    def blob(self, sha256: str) -> bytes | None:
        found = self.blobs.get(sha256)
        if found and self.mode == "altered":
            return found[:-1] + bytes([found[-1] ^ 1])
        return found


@contextlib.contextmanager
def remote_server(login: str = "") -> Iterator[RemoteObjects]:
    """A server with nothing in it; `login` is the Authorization that it wants to see, if any."""
    objects = RemoteObjects(login)
    server = grpc.server(ThreadPoolExecutor(20))
    server.add_generic_rpc_handlers((_Handlers(objects),))
    objects.url = f"grpc://127.0.0.1:{server.add_insecure_port('127.0.0.1:0')}"
    server.start()
    try:
        yield objects
    finally:
        objects.over.set()
        server.stop(None).wait()


class _Handlers(grpc.GenericRpcHandler):
    def __init__(self, objects: RemoteObjects) -> None:
        self._objects = objects

    def service(self, details: grpc.HandlerCallDetails) -> Any:
        method = details.method

        def behaviour(requests: Iterator[bytes], context: grpc.ServicerContext) -> Iterator[bytes]:
            self._begin(method, context)
            yield from _ANSWERS[method.rpartition("/")[2]](self._objects, requests, context)

        return grpc.stream_stream_rpc_method_handler(behaviour)

    def _begin(self, method: str, context: grpc.ServicerContext) -> None:
        objects = self._objects
        shown = str(dict(context.invocation_metadata()).get("authorization", ""))
        objects.asked.append(("POST", method))
        objects.seen.append(shown)
        if objects.mode == "hang":
            objects.over.wait()
        if objects.mode in ("gone", "hang"):
            context.abort(grpc.StatusCode.UNAVAILABLE, "it is gone")
        if objects.mode == "error":
            context.abort(grpc.StatusCode.INTERNAL, "a mistake")
        if objects.login and shown != objects.login:
            context.abort(grpc.StatusCode.UNAUTHENTICATED, "who are you?")


def _read(
    objects: RemoteObjects, requests: Iterator[bytes], context: grpc.ServicerContext
) -> Iterator[bytes]:
    name = Fields(next(requests)).text(1)
    found = objects.blob(name.split("/")[-2])
    if found is None:
        context.abort(grpc.StatusCode.NOT_FOUND, name)
    assert found is not None
    for at in range(0, len(found), 10_000):
        yield message((10, found[at : at + 10_000]))


def _write(
    objects: RemoteObjects, requests: Iterator[bytes], context: grpc.ServicerContext
) -> Iterator[bytes]:
    rows = [Fields(each) for each in requests]
    content = b"".join(each.value(10) for each in rows)
    digest = Digest.of(content)
    if not rows[0].text(1).endswith(f"/{digest.sha256}/{digest.size}") or not rows[-1].number(3):
        context.abort(grpc.StatusCode.INVALID_ARGUMENT, "another object")
    objects.blobs[digest.sha256] = content
    yield message((1, len(content)))


def _get(objects: RemoteObjects, requests: Iterator[bytes], context: grpc.ServicerContext) -> Iterator[bytes]:
    found = objects.kept.get(Digest.read(Fields(next(requests)).value(2)).sha256)
    if found is None:
        context.abort(grpc.StatusCode.NOT_FOUND, "no result")
    assert found is not None
    yield found


def _update(
    objects: RemoteObjects, requests: Iterator[bytes], context: grpc.ServicerContext
) -> Iterator[bytes]:
    request = Fields(next(requests))
    objects.kept[Digest.read(request.value(2)).sha256] = request.value(3)
    yield request.value(3)


def _execute(
    objects: RemoteObjects, requests: Iterator[bytes], context: grpc.ServicerContext
) -> Iterator[bytes]:
    request = next(requests)
    objects.ran.append(request)
    yield message((1, b"operation"))
    action = Digest.read(Fields(request).value(6)).sha256
    cached = action in objects.kept
    result = message((1, objects.kept.get(action, b"")), (2, int(cached)))
    yield message((1, b"operation"), (3, 1), (5, message((1, b"type"), (2, result))))


def _capabilities(
    objects: RemoteObjects, requests: Iterator[bytes], context: grpc.ServicerContext
) -> Iterator[bytes]:
    yield message((2, message((1, 1), (2, 1))))


def _batch_read(
    objects: RemoteObjects, requests: Iterator[bytes], context: grpc.ServicerContext
) -> Iterator[bytes]:
    for digest in Fields(next(requests)).every(2):
        found = objects.blob(Digest.read(digest).sha256)
        missing = message((1, 5)) if found is None else b""
        yield message((1, message((1, digest), (2, found or b""), (3, missing))))


def _batch_update(
    objects: RemoteObjects, requests: Iterator[bytes], context: grpc.ServicerContext
) -> Iterator[bytes]:
    for row in map(Fields, Fields(next(requests)).every(2)):
        digest = Digest.read(row.value(1))
        assert Digest.of(row.value(2)) == digest
        objects.blobs[digest.sha256] = row.value(2)
        yield message((1, message((1, digest.message()))))


_ANSWERS = {
    "BatchReadBlobs": _batch_read,
    "BatchUpdateBlobs": _batch_update,
    "Read": _read,
    "Write": _write,
    "GetActionResult": _get,
    "UpdateActionResult": _update,
    "Execute": _execute,
    "GetCapabilities": _capabilities,
}
