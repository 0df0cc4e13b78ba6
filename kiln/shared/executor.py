"""An engine that runs a build's actions on other machines, as the steps of one build see it.

A step may have actions run and give and take objects. It may not write results: what others take for the result of an
action is what a worker has made.
"""

from __future__ import annotations

import contextlib
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from kiln.core import UsageError, shown
from kiln.shared import relay
from kiln.shared.channel import API, authorised, channel_to
from kiln.shared.client import Pause
from kiln.shared.relay import Call, RefusedError
from kiln.shared.remote import BYTES, RemoteStore
from kiln.shared.settings import OFF, Executor
from kiln.shared.stores import PATIENCE, StoreError
from kiln.shared.wire import Digest, Fields, WireError, message

if TYPE_CHECKING:
    import grpc

MISSING = f"{API}.ContentAddressableStorage/FindMissingBlobs"
# What a step may ask beside Execute, as it is.
PASSED = (
    MISSING,
    f"{API}.ContentAddressableStorage/BatchUpdateBlobs",
    f"{API}.ContentAddressableStorage/BatchReadBlobs",
    f"{BYTES}/Read",
    f"{BYTES}/Write",
    f"{BYTES}/QueryWriteStatus",
)
EXECUTE, WAIT = f"{API}.Execution/Execute", f"{API}.Execution/WaitExecution"
RESULT = f"{API}.ActionCache/GetActionResult"
CAPABILITIES = f"{API}.Capabilities/GetCapabilities"
# Errors of the server as a whole, and not of what it was asked.
GONE = ("UNAVAILABLE", "UNAUTHENTICATED", "PERMISSION_DENIED", "UNIMPLEMENTED", "INTERNAL", "UNKNOWN")


@dataclass
class RemoteCounts:
    """Actions that were `run` on other machines, those whose result was `known` there, and calls that `failed`."""

    run: int = 0
    known: int = 0
    failed: int = 0


class ExecutorClient:
    """An executor as one build sees it; `toolchain` is what its workers must have to be given an action."""

    def __init__(
        self,
        executor: Executor,
        toolchain: str,
        channel: grpc.Channel,
        store: RemoteStore,
        note: Callable[[str], None],
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self.executor, self.toolchain, self.counts = executor, toolchain, RemoteCounts()
        self._channel, self._store = channel, store
        self._note, self._pause = note, Pause(clock)
        self._lock = threading.Lock()
        self._said, self._capabilities = False, b""
        self._translated: dict[Digest, Digest] = {}

    @classmethod
    def of(
        cls,
        executor: Executor,
        toolchain: str,
        note: Callable[[str], None],
        clock: Callable[[], float] = time.monotonic,
    ) -> ExecutorClient:
        """The executor at an address. Raises UsageError where it does not answer, or does not run actions."""
        channel, login = channel_to(executor.url), authorised(executor.login)
        client = cls(
            executor, toolchain, channel, RemoteStore(channel, executor.url, login, PATIENCE), note, clock
        )
        try:
            client.require()
        except StoreError as error:
            raise UsageError(
                f"the remote executor {executor.url} {error}",
                f"start it, or give another one or {OFF} with --remote-executor",
            ) from error
        return client

    def opened(self, folder: Path) -> contextlib.AbstractContextManager[None]:
        """Answer the calls of a build's steps on a socket in a folder until this context ends."""
        return relay.opened(self, self._channel, authorised(self.executor.login), folder)

    def require(self) -> None:
        """Raises StoreError where the server does not answer, or does not run actions."""
        self._capabilities = self._store.ask(CAPABILITIES, message((1, self._instance))) or b""
        try:
            runs = Fields(Fields(self._capabilities).value(2)).number(2)
        except WireError as error:
            raise StoreError("does not speak the remote execution API") from error
        if not runs:
            raise StoreError("keeps objects and runs no actions")

    def answers(self, method: str, requests: Iterator[bytes], call: Call) -> Iterator[bytes]:
        """What a step's call is answered."""
        try:
            yield from self._answers(method, requests, call)
        except RefusedError:
            if method != MISSING:
                raise
            # Bazel 0.26.1 crashes without an answer to this one. Now it goes on to Execute, and that may fail.
            yield b""

    def _answers(self, method: str, requests: Iterator[bytes], call: Call) -> Iterator[bytes]:
        if method == CAPABILITIES:
            # Bazel ends where it is not told them: a server that has gone since then only slows it.
            yield self._capabilities
            return
        if method == RESULT:
            # Known results are found by Execute, under the digest that `_with_paths` gives an action.
            raise RefusedError("NOT_FOUND", "it is looked up when it is run")
        if method not in (EXECUTE, WAIT, *PASSED):
            raise RefusedError("PERMISSION_DENIED", f"{method} is not for a build's steps")
        if self._pause.on():
            raise RefusedError("UNAVAILABLE", "the remote executor is left alone for a while")
        try:
            if method == EXECUTE:
                request = Fields(next(requests))
                action = self._with_paths(Digest.read(request.value(6)))
                yield from self._counted(
                    call.forward(iter([request.without(6) + message((6, action.message()))]))
                )
            elif method == WAIT:
                yield from self._counted(call.forward(requests))
            else:
                yield from call.forward(requests)
        except (RefusedError, StoreError) as error:
            code, why = error.args if isinstance(error, RefusedError) else ("UNAVAILABLE", str(error))
            if code in GONE:
                self._failed(
                    f"answers {code} {why}"[:120].rstrip() if isinstance(error, RefusedError) else why
                )
            raise RefusedError(code, why) from error
        self._pause.worked()

    def summary(self) -> str:
        """What the executor was good for, in one line."""
        counts = self.counts
        failed = f", {counts.failed} calls failed" if counts.failed else ""
        return (
            f"remote executor {self.executor.url}: {counts.run} actions were run there, {counts.known} results were "
            f"known there{failed}"
        )

    def value(self) -> dict[str, int]:
        """The counts for a record."""
        return asdict(self.counts)

    @property
    def _instance(self) -> bytes:
        return self.executor.instance.encode()

    def _counted(self, operations: Iterator[bytes]) -> Iterator[bytes]:
        """What is said of an action under way; its end is counted."""
        for answer in operations:
            operation = Fields(answer)
            if operation.number(3) and operation.value(5):
                ended = Fields(Fields(operation.value(5)).value(2))
                with self._lock:
                    if ended.number(2):
                        self.counts.known += 1
                    elif not Fields(ended.value(3)).number(1):
                        self.counts.run += 1
            yield answer

    def _with_paths(self, action: Digest) -> Digest:
        """The same action with its outputs also in the field that engines of later versions of the API read.

        Bazel before 6 names output files and folders; since 2.1 of the API there is one list of paths.
        """
        with self._lock:
            found = self._translated.get(action)
        if found:
            return found
        old = self._read(action)
        command = Fields(content := self._read(Digest.read(Fields(old).value(1))))
        outputs = sorted({*command.every(3), *command.every(4)})
        if outputs and not command.every(7):
            content += message(*((7, path) for path in outputs))
            new = message((1, self._written(content).message())) + Fields(old).without(1)
            found = self._written(new)
        with self._lock:
            self._translated[action] = found or action
        return found or action

    def _read(self, digest: Digest) -> bytes:
        request = message((1, self._instance), (2, digest.message()))
        answer = self._store.ask(f"{API}.ContentAddressableStorage/BatchReadBlobs", request)
        rows = [Fields(each) for each in Fields(answer or b"").every(1)]
        if len(rows) != 1 or Digest.of(rows[0].value(2)) != digest:
            raise StoreError(f"does not have the object {digest.sha256} that was given to it")
        return rows[0].value(2)

    def _written(self, content: bytes) -> Digest:
        digest = Digest.of(content)
        row = message((1, digest.message()), (2, content))
        answer = self._store.ask(
            f"{API}.ContentAddressableStorage/BatchUpdateBlobs", message((1, self._instance), (2, row))
        )
        if any(Fields(Fields(each).value(2)).number(1) for each in Fields(answer or b"").every(1)):
            raise StoreError("does not take objects")
        return digest

    def _failed(self, why: str) -> None:
        with self._lock:
            self.counts.failed += 1
            first = self._pause.failed() and not self._said
            self._said = self._said or first
        if first:
            name = f"the remote executor {self.executor.url}"
            self._note(shown(f"{name} {why}: it is not used for a while: what it would run is run here"))
