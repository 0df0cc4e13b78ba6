"""What a build takes from a shared cache and gives to it: checked, counted, and never a reason for a build to fail."""

from __future__ import annotations

import hashlib
import hmac
import tempfile
import threading
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import BinaryIO

from kiln.core import BLOCK, hash_into, shown
from kiln.shared.settings import SharedCache
from kiln.shared.stores import Store, StoreError, size_of

# What stands before an object that its name does not check.
HEAD = b"kiln-object-1\n"
# After so many failures in a row a cache is left alone for a while, in seconds, each time for twice as long.
FAILURES, PAUSE, LONGEST = 3, 30.0, 960.0
# An answer that took longer than so many seconds, at fewer bytes a second, is a failure too.
SLOW, SLOWEST = 5.0, 100_000


@dataclass
class Counts:
    """What passed: objects `taken` from the cache and their bytes, those `missing` there, those `given` to it.

    `altered` are those that were not what had been stored, `failures` the questions that failed.
    """

    taken: int = 0
    taken_bytes: int = 0
    missing: int = 0
    given: int = 0
    given_bytes: int = 0
    altered: int = 0
    failures: int = 0


class CacheClient:
    """A shared cache as one build sees it.

    An object in `cas/` has the sha256 of its content as its name. All others are kept as `ac/` and the digest of their
    name and of `space`, which is what keeps recipes and toolchains apart; before them stands a code over name and content,
    made with the cache's key: whoever does not have the key can neither alter nor exchange one unseen.
    """

    def __init__(
        self,
        cache: SharedCache,
        space: str,
        store: Store,
        work: Path,
        note: Callable[[str], None],
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self.cache, self.counts = cache, Counts()
        self._space, self._store, self.work = space, store, work
        self._note, self._clock = note, clock
        self._lock = threading.Lock()
        self._reading, self._writing = Pause(clock), Pause(clock)
        self._said: set[str] = set()

    def get(self, name: str) -> BinaryIO | None:
        """An object as an open file at its beginning; None where the cache does not give it, for whatever reason."""
        content = None if self._reading.on() else self._got(name)
        with self._lock:
            if content:
                self.counts.taken += 1
                self.counts.taken_bytes += size_of(content) - content.tell()
            else:
                self.counts.missing += 1
        return content

    def put(self, name: str, content: BinaryIO) -> None:
        """Give an object to the cache, if this build may, and the cache takes it."""
        size = size_of(content)
        if not self.cache.write or size > self._store.most or self._writing.on():
            return
        content.seek(0)
        if self._is_own(name):
            if self._digest(content) != name.partition("/")[2]:
                return
            self._put(name, content, size)
            return
        with tempfile.TemporaryFile(dir=self.work) as sealed:
            sealed.write(HEAD + self._code(name, content))
            content.seek(0)
            while block := content.read(BLOCK):
                sealed.write(block)
            self._put(self._place(name), sealed, size_of(sealed))

    def summary(self) -> str:
        """What the cache was good for, in one line."""
        counts = self.counts
        parts = [
            f"{counts.taken} objects ({counts.taken_bytes / 1e6:.1f} MB) came from it",
            f"{counts.missing} did not",
        ]
        parts += (
            [f"{counts.given} ({counts.given_bytes / 1e6:.1f} MB) were given to it"]
            if self.cache.write
            else []
        )
        parts += [f"{counts.altered} were altered and not used"] if counts.altered else []
        parts += [f"{counts.failures} times it failed"] if counts.failures else []
        return f"shared cache {self.cache.url}: {', '.join(parts)}"

    def value(self) -> dict[str, int]:
        """The counts for a record."""
        return asdict(self.counts)

    def _got(self, name: str) -> BinaryIO | None:
        begun = self._clock()
        file = tempfile.TemporaryFile(dir=self.work)  # noqa: SIM115  (the caller closes it)
        try:
            there = self._store.get(self._place(name), file)
        except (StoreError, OSError) as error:
            file.close()
            self._failed(self._reading, f"{error}", "what it has is compiled here")
            return None
        size = size_of(file)
        self._took(self._reading, begun, size, "what it has is compiled here")
        if there and self._is_sound(name, file):
            return file
        if there:
            with self._lock:
                self.counts.altered += 1
            self._say("altered", "gave an object that is not what was stored there; it is made here")
        file.close()
        return None

    def _put(self, place: str, content: BinaryIO, size: int) -> None:
        begun = self._clock()
        content.seek(0)
        try:
            self._store.put(place, content, size)
        except (StoreError, OSError) as error:
            self._failed(self._writing, f"{error}", "what is compiled here stays here")
            return
        self._took(self._writing, begun, size, "what is compiled here stays here")
        with self._lock:
            self.counts.given += 1
            self.counts.given_bytes += size

    def _is_sound(self, name: str, file: BinaryIO) -> bool:
        """Whether an object is what was stored; the file is then at the beginning of its content."""
        file.seek(0)
        if self._is_own(name):
            sound = self._digest(file) == name.partition("/")[2]
            file.seek(0)
            return sound
        head = file.read(len(HEAD))
        code = file.read(hashlib.sha256().digest_size)
        start = file.tell()
        sound = head == HEAD and hmac.compare_digest(code, self._code(name, file))
        file.seek(start)
        return sound

    @staticmethod
    def _is_own(name: str) -> bool:
        """Whether a name is the digest of the object's content."""
        return name.startswith("cas/")

    def _place(self, name: str) -> str:
        if self._is_own(name):
            return name
        return f"ac/{hashlib.sha256(f'{self._space}/{name}'.encode()).hexdigest()}"

    def _code(self, name: str, content: BinaryIO) -> bytes:
        """The code over a name and the rest of a file."""
        code = hmac.new(self.cache.key.encode(), f"{self._place(name)}\n".encode(), hashlib.sha256)
        while block := content.read(BLOCK):
            code.update(block)
        return code.digest()

    @staticmethod
    def _digest(content: BinaryIO) -> str:
        digest = hashlib.sha256()
        hash_into(content, digest)
        return digest.hexdigest()

    def _took(self, pause: Pause, begun: float, size: int, follows: str) -> None:
        took = self._clock() - begun
        if took > SLOW and size < took * SLOWEST:
            self._failed(pause, f"is slow ({took:.0f} s for {size} bytes)", follows)
        else:
            pause.worked()

    def _failed(self, pause: Pause, reason: str, follows: str) -> None:
        with self._lock:
            self.counts.failures += 1
        if pause.failed():
            self._say(follows, f"{reason}: {follows}, and it is asked again now and then")

    def _say(self, kind: str, text: str) -> None:
        """Say something of a kind once in a build."""
        with self._lock:
            if kind in self._said:
                return
            self._said.add(kind)
        self._note(shown(f"the shared cache {self.cache.url} {text}"))


class Pause:
    """Whether a cache is left alone, after failures in a row."""

    def __init__(self, clock: Callable[[], float]) -> None:
        self._clock, self._lock = clock, threading.Lock()
        self._failures, self._pause, self._until = 0, PAUSE, 0.0

    def on(self) -> bool:
        with self._lock:
            return self._clock() < self._until

    def worked(self) -> None:
        with self._lock:
            self._failures, self._pause = 0, PAUSE

    def failed(self) -> bool:
        """Count a failure: whether a pause begins."""
        with self._lock:
            self._failures += 1
            if self._failures < FAILURES or self._clock() < self._until:
                return False
            self._until = self._clock() + self._pause
            self._pause = min(self._pause * 2, LONGEST)
            return True
