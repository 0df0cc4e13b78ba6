"""A server of the remote execution API, as a cache: objects by the sha256 of their content, and results by names."""

from __future__ import annotations

import contextlib
import hashlib
import uuid
from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING, BinaryIO

from kiln.core import BLOCK, hash_into
from kiln.shared.channel import API, reason
from kiln.shared.settings import instance_of
from kiln.shared.stores import StoreError
from kiln.shared.wire import Digest, Fields, WireError, message
from kiln.sources import Patience

if TYPE_CHECKING:
    import grpc

BYTES = "/google.bytestream.ByteStream"
# What is in the one output of an action that stands for a name.
PATH = b"object"


class RemoteStore:
    """The objects that a server keeps, by name.

    The server itself knows objects by their digest alone, size included. So a name is an action of which nothing but
    the digest exists, and its object is the output of that action. Each method raises StoreError.
    """

    most = 4 << 30

    def __init__(
        self, channel: grpc.Channel, url: str, login: tuple[tuple[str, str], ...], patience: Patience
    ) -> None:
        self._channel, self._login, self._patience = channel, login, patience
        self._instance = instance_of(url)

    def get(self, name: str, target: BinaryIO) -> bool:
        request = message((1, self._instance.encode()), (2, _action(name).message()))
        result = self.ask(f"{API}.ActionCache/GetActionResult", request, missing=True)
        if result is None:
            return False
        with _understood():
            output = Fields(Fields(result).value(2))
            digest = Digest.read(output.value(2))
        if output.value(1) != PATH:
            raise StoreError("has something else under that name")
        return self.read(digest, target)

    def put(self, name: str, content: BinaryIO, size: int) -> None:
        sha256 = hashlib.sha256()
        hash_into(content, sha256)
        content.seek(0)
        digest = Digest(sha256.hexdigest(), size)
        self.write(digest, iter(lambda: content.read(BLOCK), b""))
        result = message((2, message((1, PATH), (2, digest.message()))))
        request = message((1, self._instance.encode()), (2, _action(name).message()), (3, result))
        self.ask(f"{API}.ActionCache/UpdateActionResult", request)

    def read(self, digest: Digest, target: BinaryIO) -> bool:
        """Write an object to a file; False where there is none. What comes may be another one."""
        call: grpc.UnaryStreamMultiCallable[bytes, bytes] = self._channel.unary_stream(f"{BYTES}/Read")
        request = message((1, self._resource("blobs", digest).encode()))
        try:
            for answer in call(request, timeout=self._time(digest.size), metadata=self._login):
                with _understood():
                    target.write(Fields(answer).value(10))
        except _error() as error:
            if error.code().name == "NOT_FOUND":
                return False
            raise StoreError(reason(error)) from error
        return True

    def write(self, digest: Digest, blocks: Iterable[bytes]) -> None:
        """Have the server keep an object."""
        call: grpc.StreamUnaryMultiCallable[bytes, bytes] = self._channel.stream_unary(f"{BYTES}/Write")
        name = self._resource(f"uploads/{uuid.uuid4()}/blobs", digest)
        try:
            call(_writes(name, blocks), timeout=self._time(digest.size), metadata=self._login)
        except _error() as error:
            raise StoreError(reason(error)) from error

    def ask(self, method: str, request: bytes, missing: bool = False) -> bytes | None:
        """The answer to a request; with `missing`, None where the server does not have what it is about."""
        call: grpc.UnaryUnaryMultiCallable[bytes, bytes] = self._channel.unary_unary(method)
        try:
            answer: bytes = call(request, timeout=self._patience.stall, metadata=self._login)
        except _error() as error:
            if missing and error.code().name == "NOT_FOUND":
                return None
            raise StoreError(reason(error)) from error
        return answer

    def _resource(self, kind: str, digest: Digest) -> str:
        return "/".join(filter(None, (self._instance, kind, digest.sha256, str(digest.size))))

    def _time(self, size: int) -> float:
        """How long an object of so many bytes may take, in seconds."""
        return self._patience.stall + size / self._patience.slowest


def _action(name: str) -> Digest:
    return Digest.of(f"kiln-object-1\n{name}".encode())


def _writes(name: str, blocks: Iterable[bytes]) -> Iterator[bytes]:
    """The requests that write an object block by block, and an empty one at its end."""
    at = 0
    for block in blocks:
        yield message((1, name.encode() if not at else b""), (2, at), (10, block))
        at += len(block)
    yield message((1, name.encode() if not at else b""), (2, at), (3, 1))


@contextlib.contextmanager
def _understood() -> Iterator[None]:
    try:
        yield
    except WireError as error:
        raise StoreError("does not speak the remote execution API") from error


def _error() -> type[grpc.RpcError]:
    import grpc

    return grpc.RpcError
