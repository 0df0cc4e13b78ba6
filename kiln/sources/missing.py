"""Sources that are not available, as an error lists them: each file once, and a host that failed as a whole once."""

from __future__ import annotations

from collections.abc import Container, Iterable, Sequence
from dataclasses import dataclass

from kiln.core import SourceError
from kiln.recipe import Source

# As many files are listed: beyond that there is one cause for most of them.
MOST = 25
# A host that failed for more files than this is named once, and not for each of them.
FEW = 3

WAYS = """\
ways to supply them:
  - run again when the network is back
  - `./inv fetch RECIPE --folder FOLDER`, or the build with that option: files in FOLDER, under any names
  - KILN_MIRRORS=TEMPLATE: a mirror, such as https://mirror.example/{host}/{path}
  - KILN_GIT_MIRRORS=TEMPLATE: mirrored repositories, such as /mirrors/{owner}/{repo}.git
  - --substitute NAME=FILE: another file in place of one that is gone, under another build key"""


@dataclass(frozen=True)
class Failure:
    """A place that was asked, and why it does not give the file.

    `host` is a sentence about its whole host, or empty; `absent` is true where the place only does not have the file.
    """

    where: str
    reason: str
    host: str = ""
    absent: bool = False


@dataclass(frozen=True)
class Missing:
    """A source that is not available, and each place that was asked."""

    source: Source
    failures: tuple[Failure, ...]


def unavailable(missing: Sequence[Missing], count: int) -> SourceError:
    """The error about what is missing of `count` sources."""
    hosts = _hosts(missing)
    return SourceError(
        f"{len(missing)} of {count} sources are not available",
        "supply them in one of the ways at the end",
        detail="\n".join(
            (
                *_listed(missing, hosts),
                *(f"  {why}: it was asked for {number} of these" for why, number in hosts.items()),
                WAYS,
            )
        ),
    )


def _hosts(missing: Sequence[Missing]) -> dict[str, int]:
    """A sentence about each host that failed as a whole for many files, with their number."""
    wanted: dict[str, set[str]] = {}
    for each in missing:
        for failure in each.failures:
            if failure.host:
                wanted.setdefault(failure.host, set()).add(each.source.digest)
    return {why: len(files) for why, files in sorted(wanted.items()) if len(files) > FEW}


def _listed(missing: Sequence[Missing], hosts: Container[str]) -> list[str]:
    """The files that are missing, each once, with the places that are not on one of the `hosts`."""
    own = [_own(each.failures, hosts) for each in missing]
    # First those with reasons of their own: the others come back with their host.
    ordered = sorted(zip(missing, own), key=lambda pair: not pair[1])
    lines = [line for each, failures in ordered[:MOST] for line in _of(each.source, failures)]
    rest = len(ordered) - MOST
    return [*lines, f"  and {rest} more: `./inv sources RECIPE --packages` lists all"] if rest > 0 else lines


def _own(failures: Sequence[Failure], hosts: Container[str]) -> list[Failure]:
    """What is worth telling of one file: not what a whole host failed to give, nor who else does not have that."""
    down = any(each.host in hosts for each in failures)
    return [each for each in failures if each.host not in hosts and not (each.absent and down)]


def _of(source: Source, failures: Iterable[Failure]) -> list[str]:
    # Origins of one file may call it differently: the archive of a forge and the one that git recreates.
    names: dict[str, str] = {}
    sizes: dict[str, int] = {}
    for origin in source.origins:
        names.setdefault(origin.sha256, origin.filename)
        if origin.size is not None:
            sizes.setdefault(origin.sha256, origin.size)
    files = [
        f"  {source.name}: {name}, sha256 {sha256}" + (f", {sizes[sha256]} bytes" if sha256 in sizes else "")
        for sha256, name in names.items()
    ]
    return files + [f"    {each.where} {each.reason}" for each in failures]
