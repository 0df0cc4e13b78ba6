from __future__ import annotations

from pathlib import Path

import pytest

from kiln.engine import kernel

FILES = {
    "proc/sys/kernel/osrelease": "6.1.0\n",
    "proc/filesystems": "nodev\tproc\nnodev\toverlay\n\text4\n",
    "proc/self/status": "Name:\tx\nSeccomp:\t0\n",
    "proc/sys/user/max_user_namespaces": "15000\n",
    "sys/fs/cgroup/cgroup.controllers": "cpuset cpu io memory pids\n",
}


def machine(folder: Path, **changed: str | None) -> Path:
    for name, text in {**FILES, **{key.replace("__", "/"): value for key, value in changed.items()}}.items():
        if text is not None:
            (folder / name).parent.mkdir(parents=True, exist_ok=True)
            (folder / name).write_text(text, encoding="utf-8")
    return folder


def test_a_machine_with_everything_is_good(tmp_path: Path) -> None:
    rows = kernel.findings(machine(tmp_path), user=1000)
    assert [(row.good, row.found) for row in rows] == [
        (True, "Linux 6.1.0, with overlay, seccomp and user namespaces"),
        (True, "version 2: cpu, memory, pids"),
    ]


@pytest.mark.parametrize(
    ("file", "text", "user", "found", "cure"),
    [
        ("proc/filesystems", "\text4\n", 0, "without overlay", "modprobe overlay"),
        ("proc/self/status", "Name:\tx\n", 0, "without seccomp", "CONFIG_SECCOMP"),
        (
            "proc/sys/user/max_user_namespaces",
            "0\n",
            1000,
            "without user namespaces",
            "user.max_user_namespaces",
        ),
        ("proc/sys/kernel/unprivileged_userns_clone", "0\n", 1000, "without user namespaces", "_clone=1"),
        ("proc/sys/user/max_user_namespaces", "0\n", 0, "", ""),  # root needs none
    ],
)
def test_what_the_kernel_lacks_is_named_with_what_helps(
    tmp_path: Path, file: str, text: str, user: int, found: str, cure: str
) -> None:
    row, _ = kernel.findings(machine(tmp_path, **{file: text}), user)
    assert row.good is not bool(cure)
    assert found in row.found and cure in row.cure


def test_the_older_control_groups_are_known_too_and_what_they_lack_is_named(tmp_path: Path) -> None:
    root = machine(tmp_path, **{"sys/fs/cgroup/cgroup.controllers": None})
    for name in ("cpu", "memory", "freezer"):
        (root / "sys/fs/cgroup" / name).mkdir(parents=True)
    _, row = kernel.findings(root, 0)
    assert (row.good, row.found) == (False, "version 1: cpu, memory")
    assert "enable pids" in row.cure


def test_a_machine_without_control_groups_says_so(tmp_path: Path) -> None:
    _, row = kernel.findings(machine(tmp_path, **{"sys/fs/cgroup/cgroup.controllers": None}), 0)
    assert (row.good, row.found) == (False, "none")
