from __future__ import annotations

import threading
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from kiln.engine.usage import MOST, Group, Reading, Usage, group_of, thinned

ID = "49c50179b34104fe1fef69b602586ccb"
NUMBER = 4711
# How Podman and Docker name a container's group, with both drivers of groups, on both versions.
PODMAN_1 = "".join(
    f"{line}/libpod_parent/libpod-{ID}\n" for line in ("9:name=systemd:", "4:memory:", "2:cpuacct:", "0::")
)
DOCKER_1 = f"4:memory:/docker/{ID}\n3:cpu,cpuacct:/docker/{ID}\n"
DOCKER_2 = f"0::/system.slice/docker-{ID}.scope\n"
PODMAN_2 = f"0::/machine.slice/libpod-{ID}.scope/container\n"
V1 = (
    {"cpuacct.usage": "2500000000\n"},
    {
        "memory.usage_in_bytes": "5000\n",
        "memory.stat": "cache 9\ninactive_file 7\ntotal_inactive_file 1000\n",
    },
)
V2 = (
    {"cpu.stat": "usage_usec 2500000\nuser_usec 2\n"},
    {
        "memory.current": "5000\n",
        "memory.stat": "anon 3\ninactive_file 1000\n",
    },
)


def write(tmp_path: Path, membership: str, files: dict[str, dict[str, str]]) -> Group | None:
    process = tmp_path / "proc" / str(NUMBER)
    process.mkdir(parents=True)
    (process / "cgroup").write_text(membership)
    for folder, content in files.items():
        path = tmp_path / "groups" / folder
        path.mkdir(parents=True, exist_ok=True)
        for name, text in content.items():
            (path / name).write_text(text)
    return group_of(NUMBER, ID, tmp_path / "groups", tmp_path / "proc")


@pytest.mark.parametrize(
    ("membership", "files"),
    [
        (PODMAN_1, {f"cpuacct/libpod_parent/libpod-{ID}": V1[0], f"memory/libpod_parent/libpod-{ID}": V1[1]}),
        (DOCKER_1, {f"cpu,cpuacct/docker/{ID}": V1[0], f"memory/docker/{ID}": V1[1]}),
        (DOCKER_2, {f"system.slice/docker-{ID}.scope": {**V2[0], **V2[1]}}),
        (PODMAN_2, {f"machine.slice/libpod-{ID}.scope": {**V2[0], **V2[1]}}),
    ],
    ids=["podman, version 1", "docker, version 1", "docker, version 2", "podman, version 2"],
)
def test_what_a_container_uses_is_read_from_its_group(
    tmp_path: Path, membership: str, files: dict[str, dict[str, str]]
) -> None:
    group = write(tmp_path, membership, files)
    assert group and group.read(1.0) == Reading(1.0, 2.5, 4000)
    group.processor.unlink()
    assert group.read(2.0) is None


@pytest.mark.parametrize(
    ("membership", "files"),
    [
        # The same number is another process on this machine.
        ("0::/user.slice/shell\n", {"user.slice/shell": {**V2[0], **V2[1]}}),
        # Groups that are not mounted here.
        (DOCKER_2, {}),
        ("", {}),
    ],
)
def test_the_group_of_another_process_is_not_read(
    tmp_path: Path, membership: str, files: dict[str, dict[str, str]]
) -> None:
    assert write(tmp_path, membership, files) is None
    assert group_of(1, ID, tmp_path / "groups", tmp_path / "proc") is None


def test_a_group_is_read_until_it_is_gone(tmp_path: Path) -> None:
    group = write(tmp_path, DOCKER_2, {f"system.slice/docker-{ID}.scope": {**V2[0], **V2[1]}})
    assert group
    usage, enough = Usage(interval=0.001), threading.Event()
    keep = usage.add

    def add(reading: Reading) -> None:
        keep(reading)
        if len(usage.readings) > 2:
            enough.set()

    usage.add = add  # type: ignore[method-assign]
    with usage.of(group):
        assert enough.wait(30)
        group.memory.unlink()
    assert {each.processor for each in usage.readings} == {2.5}


def test_without_a_group_nothing_is_read_and_the_reason_is_said() -> None:
    usage = Usage()
    with usage.of(None):
        pass
    assert usage.readings == [] and "control group" in usage.why


def test_a_long_step_keeps_a_bounded_number_of_readings_and_its_most_memory() -> None:
    usage = Usage()
    for number in range(20 * MOST):
        usage.add(Reading(number, number * 2, 10**9 if number == 777 else number))
    assert MOST / 2 <= len(usage.readings) <= MOST
    assert max(each.memory for each in usage.readings) == 10**9
    assert usage.readings[0].at == 0 and usage.readings[-1].at == 20 * MOST - 1


@settings(max_examples=30)
@given(st.lists(st.integers(0, 10**12), min_size=1, max_size=60))
def test_thinning_keeps_the_first_the_last_and_the_most(memory: list[int]) -> None:
    readings = [Reading(number, number, each) for number, each in enumerate(memory)]
    kept = thinned(readings)
    assert kept[0] == readings[0] and kept[-1].at == readings[-1].at
    assert max(each.memory for each in kept) == max(memory)
    assert len(kept) <= len(readings) // 2 + 1
