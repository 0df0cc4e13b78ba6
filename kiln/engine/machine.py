"""What this machine gives a build: cores and memory, as far as control groups let it have them."""

from __future__ import annotations

import os
from pathlib import Path

GROUPS = Path("/sys/fs/cgroup")
BYTES_PER_COMPILER = int(1.5 * 2**30)


def jobs(asked: int) -> int:
    """How many compilers to run at once: the cores, as far as the memory allows 1.5 GiB for each."""
    return asked if asked > 0 else max(1, min(cores(), memory() // BYTES_PER_COMPILER))


def cores(groups: Path = GROUPS) -> int:
    """The processors that this process may use: its affinity, and the quotas of its control groups."""
    found = float(len(os.sched_getaffinity(0)))
    for folder in _own(groups, "cpu"):
        quota, period = _quota(folder)
        if quota > 0 and period > 0:
            found = min(found, quota / period)
    return max(1, int(found))


def memory(groups: Path = GROUPS) -> int:
    """The bytes of memory that this process may use: the machine's, and the limits of its control groups."""
    found = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    for folder in _own(groups, "memory"):
        for name in ("memory.max", "memory.limit_in_bytes"):
            limit = _number(folder / name)
            if limit > 0:
                found = min(found, limit)
    return found


def _own(groups: Path, controller: str) -> list[Path]:
    """The folders of this process's control groups, from the root on, of both versions."""
    found = []
    for line in _text(Path("/proc/self/cgroup")).splitlines():
        _, controllers, path = line.split(":", 2)
        if controllers and controller not in controllers.split(","):
            continue
        root = groups / controllers if controllers else groups
        parts = Path(path.lstrip("/")).parts
        found += [root.joinpath(*parts[:count]) for count in range(len(parts) + 1)]
    return found


def _quota(folder: Path) -> tuple[float, float]:
    """The processor time of a group in each period; zero where there is no limit."""
    quota, _, period = _text(folder / "cpu.max").strip().partition(" ")
    if quota.isdecimal() and period.isdecimal():
        return float(quota), float(period)
    return float(max(0, _number(folder / "cpu.cfs_quota_us"))), float(_number(folder / "cpu.cfs_period_us"))


def _number(path: Path) -> int:
    text = _text(path).strip()
    return int(text) if text.lstrip("-").isdecimal() else 0


def _text(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8")
    except OSError:
        return ""
