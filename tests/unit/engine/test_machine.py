from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path

import pytest

from kiln.engine import machine

GIB = 2**30
ALL_MEMORY = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
# Version 1 writes this where there is no limit.
UNLIMITED = 9223372036854771712

VERSION_2 = "0::/user.slice/build.scope\n"
VERSION_1 = "12:memory:/docker/abc\n4:cpu,cpuacct:/docker/abc\n1:name=systemd:/docker/abc\n"
HYBRID = "5:pids:/docker/abc\n4:memory:/docker/abc\n3:cpuset:/\n1:cpu:/docker/abc\n0::/docker/abc\n"


@pytest.fixture(autouse=True)
def sixteen_processors(monkeypatch: pytest.MonkeyPatch) -> None:
    """As the kernel reports the affinity, which a cpuset limits."""
    monkeypatch.setattr(os, "sched_getaffinity", lambda process: set(range(16)))


@pytest.fixture
def groups(tmp_path: Path) -> Groups:
    return Groups(tmp_path)


class Groups:
    """A tree of control groups, and the file that lists those of a process."""

    def __init__(self, folder: Path) -> None:
        self.tree, self.membership = folder / "cgroup", folder / "membership"

    def write(self, membership: str, files: Mapping[str, object]) -> None:
        self.membership.write_text(membership)
        for name, content in files.items():
            path = self.tree / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(f"{content}\n")

    @property
    def cores(self) -> int:
        return machine.cores(self.tree, self.membership)

    @property
    def memory(self) -> int:
        return machine.memory(self.tree, self.membership)


@pytest.mark.parametrize(
    ("membership", "files"),
    [
        ("", {}),
        (VERSION_2, {}),
        (VERSION_2, {"user.slice/cpu.max": "max 100000", "user.slice/memory.max": "max"}),
        (
            VERSION_1,
            {
                "cpu,cpuacct/docker/abc/cpu.cfs_quota_us": -1,
                "cpu,cpuacct/docker/abc/cpu.cfs_period_us": 100000,
                "memory/docker/abc/memory.limit_in_bytes": UNLIMITED,
            },
        ),
    ],
    ids=["no groups", "no files", "version 2 without limits", "version 1 without limits"],
)
def test_without_a_limit_there_is_the_whole_machine(
    groups: Groups, membership: str, files: dict[str, object]
) -> None:
    groups.write(membership, files)
    assert groups.cores == 16
    assert groups.memory == ALL_MEMORY


def test_the_limits_of_version_2_are_kept(groups: Groups) -> None:
    folder = "user.slice/build.scope"
    groups.write(VERSION_2, {f"{folder}/cpu.max": "350000 100000", f"{folder}/memory.max": GIB})
    assert (groups.cores, groups.memory) == (3, GIB)


def test_the_limits_of_version_1_are_kept(groups: Groups) -> None:
    groups.write(
        VERSION_1,
        {
            "cpu,cpuacct/docker/abc/cpu.cfs_quota_us": 400000,
            "cpu,cpuacct/docker/abc/cpu.cfs_period_us": 100000,
            "memory/docker/abc/memory.limit_in_bytes": GIB,
        },
    )
    assert (groups.cores, groups.memory) == (4, GIB)


def test_a_controller_is_found_by_its_link_where_the_mount_has_another_name(groups: Groups) -> None:
    files = {"cpu/docker/abc/cpu.cfs_quota_us": 200000, "cpu/docker/abc/cpu.cfs_period_us": 100000}
    groups.write(VERSION_1, files)
    assert groups.cores == 2


def test_the_smallest_limit_of_nested_groups_counts(groups: Groups) -> None:
    groups.write(
        VERSION_2,
        {
            "user.slice/cpu.max": "200000 100000",
            "user.slice/build.scope/cpu.max": "800000 100000",
            "user.slice/memory.max": 2 * GIB,
            "user.slice/build.scope/memory.max": GIB,
        },
    )
    assert (groups.cores, groups.memory) == (2, GIB)


def test_the_group_of_another_process_limits_nothing(groups: Groups) -> None:
    groups.write(VERSION_2, {"user.slice/other.scope/cpu.max": "100000 100000", "other/memory.max": GIB})
    assert (groups.cores, groups.memory) == (16, ALL_MEMORY)


@pytest.mark.parametrize("version", [1, 2])
def test_in_a_container_the_root_is_the_group_of_the_container(groups: Groups, version: int) -> None:
    if version == 1:
        files: dict[str, object] = {
            "cpu,cpuacct/cpu.cfs_quota_us": 200000,
            "cpu,cpuacct/cpu.cfs_period_us": 100000,
            "memory/memory.limit_in_bytes": GIB,
        }
        groups.write(VERSION_1, files)
    else:
        groups.write("0::/\n", {"cpu.max": "200000 100000", "memory.max": GIB})
    assert (groups.cores, groups.memory) == (2, GIB)


def test_with_both_versions_the_limits_of_either_count(groups: Groups) -> None:
    groups.write(
        HYBRID,
        {
            "cpu/docker/abc/cpu.cfs_quota_us": 200000,
            "cpu/docker/abc/cpu.cfs_period_us": 100000,
            "unified/docker/memory.max": GIB,
            "unified/docker/abc/memory.max": 3 * GIB,
            "memory/docker/abc/memory.limit_in_bytes": 2 * GIB,
        },
    )
    assert (groups.cores, groups.memory) == (2, GIB)


def test_a_group_outside_of_what_is_mounted_does_not_lead_out_of_the_tree(groups: Groups) -> None:
    groups.write("0::/../../other\n", {"cpu.max": "200000 100000", "../other/cpu.max": "100000 100000"})
    assert groups.cores == 2


def test_the_memory_from_which_a_group_is_slowed_down_is_a_limit(groups: Groups) -> None:
    files = {"user.slice/memory.high": GIB, "user.slice/memory.max": 2 * GIB}
    groups.write(VERSION_2, files)
    assert groups.memory == GIB


def test_less_than_one_processor_is_one(groups: Groups) -> None:
    groups.write(VERSION_2, {"user.slice/build.scope/cpu.max": "50000 100000"})
    assert groups.cores == 1


def test_the_processors_of_the_affinity_count_where_the_quota_is_larger(
    groups: Groups, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(os, "sched_getaffinity", lambda process: {3, 5})
    groups.write(VERSION_2, {"user.slice/build.scope/cpu.max": "800000 100000"})
    assert groups.cores == 2


@pytest.mark.parametrize(("memory", "fitting"), [(3 * GIB, 2), (GIB, 1)])
def test_without_a_number_there_are_as_many_jobs_as_the_memory_has_room_for(
    groups: Groups, memory: int, fitting: int
) -> None:
    groups.write(VERSION_2, {"user.slice/memory.max": memory})
    assert machine.jobs(0, groups.tree, groups.membership) == fitting
    assert machine.jobs(7, groups.tree, groups.membership) == 7


def test_without_a_number_there_are_no_more_jobs_than_processors(groups: Groups) -> None:
    groups.write(VERSION_2, {"user.slice/cpu.max": "100000 100000"})
    assert machine.jobs(0, groups.tree, groups.membership) == 1
