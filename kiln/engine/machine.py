"""What a build may use of this machine: processors and memory, within the limits of its control groups."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

GROUPS = Path("/sys/fs/cgroup")
MEMBERSHIP = Path("/proc/self/cgroup")
BYTES_PER_COMPILER = int(1.5 * 2**30)


def jobs(asked: int, groups: Path = GROUPS, membership: Path = MEMBERSHIP) -> int:
    """How many compilers to run at once: `asked`, or for 0 as many as there are cores, with 1.5 GiB for each.

    `groups` and `membership` are as for `cores`.
    """
    if asked > 0:
        return asked
    return max(1, min(cores(groups, membership), memory(groups, membership) // BYTES_PER_COMPILER))


def cores(groups: Path = GROUPS, membership: Path = MEMBERSHIP) -> int:
    """The processors that this process may use: its affinity (so its cpuset, too) and its groups' quotas of time.

    `groups` is where control groups are mounted, `membership` the file that lists those of this process.
    """
    found = float(len(os.sched_getaffinity(0)))
    for folder in folders(groups, membership, "cpu"):
        quota, period = _quota(folder)
        if quota > 0 and period > 0:
            found = min(found, quota / period)
    return max(1, int(found))


def memory(groups: Path = GROUPS, membership: Path = MEMBERSHIP) -> int:
    """The bytes of memory that this process may use: the machine's, within the limits of its control groups.

    `groups` and `membership` are as for `cores`.
    """
    found = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    for folder in folders(groups, membership, "memory"):
        # Above memory.high the kernel slows a group down until it hardly runs.
        for name in ("memory.max", "memory.high", "memory.limit_in_bytes"):
            limit = _number(folder / name)
            if limit > 0:
                found = min(found, limit)
    return found


def folders(groups: Path, membership: Path, controller: str) -> Iterator[Path]:
    """The folders of the control groups that `membership` lists, of both versions, with all groups above them."""
    for line in _text(membership).splitlines():
        _, controllers, path = line.split(":", 2)
        if not controllers:
            # Version 2, which has a folder of its own where version 1 is mounted, too.
            roots = (groups, groups / "unified")
        elif controller in controllers.split(","):
            # The mount is named after all its controllers, in any order; there is a link for each.
            roots = (groups / controllers, groups / controller)
        else:
            continue
        parts = Path(path.lstrip("/")).parts
        if ".." in parts:
            # The group is outside of what is mounted here: only the root is known.
            parts = ()
        for root in roots:
            # In a container without a namespace for groups, only the root exists, which is the container's group.
            yield from (root.joinpath(*parts[:count]) for count in range(len(parts) + 1))


def _quota(folder: Path) -> tuple[float, float]:
    """The processor time that a group may use in each period; zero if there is no limit."""
    quota, _, period = _text(folder / "cpu.max").strip().partition(" ")
    if quota.isdecimal() and period.isdecimal():
        return float(quota), float(period)
    return float(max(0, _number(folder / "cpu.cfs_quota_us"))), float(_number(folder / "cpu.cfs_period_us"))


def _number(path: Path) -> int:
    """The number in a file; 0 for a missing file and for `max`, which is no limit."""
    text = _text(path).strip()
    return int(text) if text.lstrip("-").isdecimal() else 0


def _text(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8")
    except OSError:
        return ""
