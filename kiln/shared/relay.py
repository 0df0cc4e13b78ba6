"""A socket in a container's folder by which its programs reach one server that speaks gRPC, and nothing else.

What answers is this process: it adds the login, so that neither that nor the address is in the container.
"""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

from kiln.shared.channel import authorised, channel_to
from kiln.shared.settings import Executor

if TYPE_CHECKING:
    import grpc

# The socket's name in the folder, and how many calls it may have open at once.
GRPC, CALLS = "grpc", 500
# In seconds: what has longer has no end.
LONGEST = 10_000_000


class Relay(Protocol):
    """What becomes of a call."""

    def answers(self, method: str, requests: Iterator[bytes], call: Call) -> Iterator[bytes]:
        """The answers to a call. Raises RefusedError to end it with an error."""


class RefusedError(Exception):
    """A call ends with an error: the name of its code, and why."""


class Through:
    """Every call goes to the server as it is."""

    def answers(self, method: str, requests: Iterator[bytes], call: Call) -> Iterator[bytes]:
        return call.forward(requests)


class Call:
    """A call that came in, and how it goes on to the server."""

    def __init__(
        self,
        method: str,
        context: grpc.ServicerContext,
        channel: grpc.Channel,
        login: tuple[tuple[str, str], ...],
    ) -> None:
        self._method, self._context, self._channel, self._login = method, context, channel, login

    def forward(self, requests: Iterator[bytes]) -> Iterator[bytes]:
        """The server's own answers to these requests. It ends where the caller has gone; raises RefusedError."""
        import grpc

        left = self._context.time_remaining()
        # A call without an end has some centuries, which is too much for another one.
        timeout = left if left and left < LONGEST else None
        onward: Any = self._channel.stream_stream(self._method)
        call = onward(requests, timeout=timeout, metadata=self._login)
        if not self._context.add_callback(call.cancel):
            return
        try:
            yield from call
        except grpc.RpcError as error:
            raise RefusedError(error.code().name, error.details() or "") from error


def passing(executor: Executor, folder: Path) -> contextlib.AbstractContextManager[None]:
    """Let every call on the socket in a folder go to an executor as it is, until this context ends."""
    return opened(Through(), channel_to(executor.url), authorised(executor.login), folder)


@contextlib.contextmanager
def opened(
    relay: Relay, channel: grpc.Channel, login: tuple[tuple[str, str], ...], folder: Path
) -> Iterator[None]:
    """Answer on the socket in a folder until this context ends."""
    import grpc

    class Handlers(grpc.GenericRpcHandler):
        def service(self, details: grpc.HandlerCallDetails) -> Any:
            method = str(details.method)

            def behaviour(requests: Iterator[bytes], context: grpc.ServicerContext) -> Iterator[bytes]:
                try:
                    yield from relay.answers(method, requests, Call(method, context, channel, login))
                except RefusedError as refused:
                    name, why = refused.args
                    context.abort(grpc.StatusCode[name], why)

            return grpc.stream_stream_rpc_method_handler(behaviour)

    options = [("grpc.max_receive_message_length", -1), ("grpc.max_send_message_length", -1)]
    pool = ThreadPoolExecutor(CALLS)
    server = grpc.server(pool, options=options)
    server.add_generic_rpc_handlers((Handlers(),))
    (folder / GRPC).unlink(missing_ok=True)
    # A socket's path may have 107 bytes, and a home may have a longer one.
    handle = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        server.add_insecure_port(f"unix:/proc/self/fd/{handle}/{GRPC}")
        server.start()
        # The container's user may be another; nobody else gets into the folder.
        (folder / GRPC).chmod(0o777)
        yield
    finally:
        server.stop(None).wait()
        pool.shutdown(wait=False)
        os.close(handle)
