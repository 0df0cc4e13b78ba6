"""Whether this machine has the memory and the disk that a build was measured to use."""

from __future__ import annotations

import shutil
from collections.abc import Iterable, Iterator

from kiln.core import Home
from kiln.engine.machine import memory
from kiln.recipe import Needs, Source
from kiln.sources import Vault

# The bytes of memory that every build may use, where the machine has them.
LEAST = 8 * 10**9


def shortages(needs: Needs | None, sources: Iterable[Source], home: Home, jobs: int) -> list[str]:
    """What a build with `jobs` compilers will want that there is not, a sentence each with what helps."""
    missing = sum(_sizes(sources, Vault(home.sources)))
    free = shutil.disk_usage(home.path).free
    return [*memory_shortage(needs, jobs, memory()), *disk_shortage(needs, missing, free, home)]


def memory_shortage(needs: Needs | None, jobs: int, there: int) -> list[str]:
    """The same for `there` bytes of memory."""
    wanted = needs.memory_with(jobs) if needs else 0
    if needs is None or wanted <= there:
        return []
    fitting = next((each for each in range(jobs - 1, 0, -1) if needs.memory_with(each) <= there), 0)
    cure = f"give --jobs {fitting}" if fitting else "build on a machine with more memory, or add swap space"
    compilers = "one compiler" if jobs == 1 else f"{jobs} compilers at once"
    return [
        f"this build used about {_gb(wanted)} of memory with {compilers}, and this machine has {_gb(there)}: {cure}"
    ]


def disk_shortage(needs: Needs | None, missing: int, free: int, home: Home) -> list[str]:
    """The same for `free` bytes of disk, with sources of `missing` bytes still to be fetched."""
    wanted = missing + (needs.disk * 10**6 if needs else 0)
    if wanted <= free:
        return []
    parts = f"{_gb(missing)} of sources" + (f" and {_gb(needs.disk * 10**6)} for the build" if needs else "")
    return [
        f"this build takes about {_gb(wanted)} of disk ({parts}), and {home.path} has {_gb(free)}: "
        "free some space, or set KILN_HOME to a folder on a larger disk"
    ]


def bound(needs: Needs | None, jobs: int, there: int = 0) -> int:
    """The bytes of memory that the containers of a build with `jobs` compilers may use, of `there` or this machine's.

    That is twice what such a build was measured to use, 8 GB at least, and always less than the machine has: a step that
    takes more and more is ended, and not what else runs here.
    """
    there = there or memory()
    most = there - min(there // 8, 10**9)
    return min(most, max(2 * needs.memory_with(jobs), LEAST)) if needs else most


def _sizes(sources: Iterable[Source], vault: Vault) -> Iterator[int]:
    """The recorded sizes of the sources that are not in the vault."""
    for source in sources:
        hashes = [each for each in (source.sha256, *(origin.sha256 for origin in source.origins)) if each]
        if not any(vault.path(sha256).exists() for sha256 in hashes):
            yield next((origin.size for origin in source.origins if origin.size), 0)


def _gb(size: int) -> str:
    return f"{size / 1e9:.1f} GB"
