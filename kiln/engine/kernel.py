"""What the kernel gives containers: file systems, filters, namespaces, control groups."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

from kiln.core import Finding

ROOT = Path("/")
# What bounds a build: without one of these its memory or its processes are not limited.
CONTROLLERS = ("memory", "pids")
CPU = "cpu"


def findings(root: Path = ROOT, user: int | None = None) -> list[Finding]:
    """The kernel's features and control groups, read from proc and sys below `root`, for the user with this id."""
    uid = os.getuid() if user is None else user
    return [_kernel(root, uid), _groups(root)]


def _kernel(root: Path, uid: int) -> Finding:
    proc = root / "proc"
    release = _text(proc / "sys/kernel/osrelease").strip() or "unknown"
    problems = [(what, cure) for what, cure in _lacking(proc, uid)]
    found = f"Linux {release}, " + (
        "; ".join(what for what, _ in problems) or "with overlay, seccomp and user namespaces"
    )
    return Finding("kernel", not problems, found, "; ".join(cure for _, cure in problems))


def _lacking(proc: Path, uid: int) -> Iterator[tuple[str, str]]:
    """What the kernel does not give, each with what helps."""
    if not any(line.split()[-1:] == ["overlay"] for line in _text(proc / "filesystems").splitlines()):
        yield (
            "without overlay file systems",
            "run `modprobe overlay` as root; images are slow and large without",
        )
    if "\nSeccomp:" not in _text(proc / "self/status"):
        yield "without seccomp", "use a kernel with CONFIG_SECCOMP: containers need it"
    allowed = _text(proc / "sys/kernel/unprivileged_userns_clone").strip() != "0"
    number = _text(proc / "sys/user/max_user_namespaces").strip()
    if uid and (not allowed or number == "0"):
        setting = "user.max_user_namespaces=15000" if number == "0" else "kernel.unprivileged_userns_clone=1"
        yield "without user namespaces for this user", f"run `sysctl {setting}` as root, or use Docker"


def _groups(root: Path) -> Finding:
    folder = root / "sys/fs/cgroup"
    if (folder / "cgroup.controllers").exists():
        version, there = "2", set(_text(folder / "cgroup.controllers").split())
    else:
        version, there = "1", {path.name for path in folder.glob("*") if path.is_dir()}
    missing = [each for each in CONTROLLERS if each not in there]
    if not there:
        return Finding("control groups", False, "none", f"mount them on {folder}: the engine needs them")
    has = ", ".join(each for each in (CPU, *CONTROLLERS) if each in there) or "no controller that counts"
    cure = (
        f"enable {' and '.join(missing)} on the kernel's command line: a build is not bounded without"
        if missing
        else ""
    )
    return Finding("control groups", not missing, f"version {version}: {has}", cure)


def _text(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8")
    except OSError:
        return ""
