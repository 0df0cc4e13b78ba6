"""All of a build that is not this machine's: a shared cache, an executor, machines that distcc asks."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from kiln.shared.settings import Executor, Helper, SharedCache

if TYPE_CHECKING:
    # A build that asks nobody has none of them.
    from kiln.shared.client import CacheClient
    from kiln.shared.distcc import HelpedBuild
    from kiln.shared.executor import ExecutorClient


class Used(NamedTuple):
    """The same as one build sees it."""

    cache: CacheClient | None = None
    executor: ExecutorClient | None = None
    helped: HelpedBuild | None = None

    def summaries(self) -> list[str]:
        """What each was good for."""
        return [each.summary() for each in self if each]


@dataclass(frozen=True)
class Others:
    """What a build may use. `programs` is the folder with distcc."""

    cache: SharedCache | None = None
    executor: Executor | None = None
    helpers: tuple[Helper, ...] = ()
    programs: Path = Path("programs")

    @property
    def addresses(self) -> dict[str, str]:
        """Where each is, by the names that a provenance has for them."""
        found = {
            "sharedCache": self.cache.url if self.cache else "",
            "remoteExecutor": self.executor.url if self.executor else "",
            "distcc": ",".join(map(str, self.helpers)),
        }
        return {name: address for name, address in found.items() if address}

    @property
    def name(self) -> str:
        """A short name for what was compiled with them and is kept here; empty for nothing.

        What an executor has made is kept there.
        """
        kept = [address for name, address in self.addresses.items() if name != "remoteExecutor"]
        return hashlib.sha256("\n".join(kept).encode()).hexdigest()[:8] if kept else ""

    def used(self, space: str, toolchain: str, work: Path, note: Callable[[str], None]) -> Used:
        """What a build of the recipe and toolchain `space` uses, with tools by the name `toolchain`.

        Raises UsageError where the executor does not answer, or distcc's programs are not there.
        """
        from kiln.shared.client import CacheClient
        from kiln.shared.distcc import HelpedBuild
        from kiln.shared.executor import ExecutorClient
        from kiln.shared.stores import store_of

        cache, executor = self.cache, self.executor
        return Used(
            CacheClient(cache, space, store_of(cache), work, note) if cache else None,
            ExecutorClient.of(executor, toolchain, note) if executor else None,
            HelpedBuild(self.helpers, self.programs, toolchain, note) if self.helpers else None,
        )
