"""`./inv verify` on the real container engine: a wheel that is built again the same, and one that never is."""

from __future__ import annotations

import hashlib
import json
import shutil
from pathlib import Path

from kiln.build import Record, record
from tests.support.house import House

# What a container can see of its machine, each baked into a file of its own in the wheel.
LEAKS = {
    "hostname": "uname -n",
    "user": "id -u",
    "clock": "date +%Y",
    "kernel": "uname -r",
    "jobs": 'echo "$KILN_JOBS"',
    "processors": "nproc",
    "order": "cat /kiln/build/order",
    "environment": 'echo "${NOISE:-}"',
}
# What needs something that a machine may not have; every other variation works everywhere.
NEEDS = {"clock": "faketime", "order": "disorderfs"}


def test_a_rebuild_whose_time_is_over_goes_on_from_its_own_caches_and_an_equal_wheel_is_recorded(
    built: House,
) -> None:
    wheel = built.wheel()
    before = wheel.read_bytes()
    stopped = built.run("verify", str(wheel), "--time-budget", "1s")
    assert stopped.returncode == 75, stopped.stderr
    assert "run the same command again" in stopped.stderr
    (kept,) = (built.home / "verify").iterdir()
    assert json.loads((kept / "state.json").read_text())["runs"] == 1
    done = built.run("verify", str(wheel))
    assert done.returncode == 0 and "going on with a rebuild" in done.stderr, done.stderr
    digest = hashlib.sha256(before).hexdigest()
    assert f"sha256     {digest}" in done.stderr and wheel.read_bytes() == before

    (stored,) = (built.home / "results").iterdir()
    said = json.loads((wheel.parent / "reproduced.json").read_text())
    for folder in (wheel.parent, stored):
        text = (folder / "reproduced.json").read_bytes()
        sums = (folder / "SHA256SUMS").read_text()
        assert f"{hashlib.sha256(text).hexdigest()}  reproduced.json" in sums
    assert said["sha256"] == digest and said["build_key"] == stored.name and said["runs"] == 2
    assert {"paths", "umask", "hostname", "kernel", "jobs"} <= set(said["varied"])
    assert set(said["varied"]) | set(said["not_varied"]) | set(said["left_out"]) == {
        *LEAKS, "paths", "umask", "locale", "timezone", "engine",
    }  # fmt: skip
    usual, rebuild = said["usual"], said["rebuild"]
    assert usual["home"] != rebuild["home"] and usual["checkout"] != rebuild["checkout"]
    assert usual["container"]["kernel"] != rebuild["container"]["kernel"]
    assert not list((built.home / "verify").iterdir())
    # The result is still a finished build.
    again = built.run("build", "toy", DOCKER_HOST="unix:///nowhere/docker.sock")
    assert again.returncode == 0 and "finished before" in again.stderr


def test_a_build_that_takes_something_of_its_machine_is_exit_5_and_each_cause_is_named(house: House) -> None:
    commands = "\n".join(f"{command} > /kiln/build/leaks/{name}" for name, command in LEAKS.items())
    house.replace(
        "docker/opencv/compile.sh",
        "python=$KILN_VENV/bin/python\n",
        "python=$KILN_VENV/bin/python\nmkdir -p /kiln/build/leaks/unsorted && touch /kiln/build/leaks/unsorted/{a,b,c,d}\n"
        f"ls -U /kiln/build/leaks/unsorted > /kiln/build/order && rm -r /kiln/build/leaks/unsorted\n{commands}\n",
    )
    house.replace(
        "docker/opencv/pack.py",
        "rows = [",
        "files.update({'toy.leaks/' + leak.name: leak.read_bytes() for leak in Path('/kiln/build/leaks').iterdir()})\n"
        "rows = [",
    )
    stopped = house.run("verify", "toy", "--time-budget", "1s")
    assert stopped.returncode == 75 and "is not recorded yet: its wheel is built first" in stopped.stderr
    made = house.run("build", "toy")
    assert made.returncode == 0, made.stderr
    # What an earlier verification said, which was luck.
    recorded = (house.wheel().parent, next((house.home / "results").iterdir()))
    for each in map(record.read, recorded):
        assert isinstance(each, Record)
        record.add(each, "reproduced.json", "{}")
    done = house.run("verify", "toy", "--no-vary", "timezone")
    assert done.returncode == 5, done.stderr
    folder = house.root / "dist/verify/toy/1.0/cp311-cpu-bookworm-sse4.2"
    members = (folder / "members.txt").read_text()
    missing = {name for name in LEAKS if f"not varied: {name}" in done.stderr}
    assert missing <= {name for name, program in NEEDS.items() if not shutil.which(program)} | {"processors"}
    for name in set(LEAKS) - missing:
        assert f"toy.leaks/{name}" in members, done.stderr
    # What only follows from the others comes last.
    assert members.splitlines()[-1].startswith("toy-1.0+1.dist-info/RECORD")
    first, second = (Path(side) for side in sorted(folder.glob("*/*.whl")))
    assert first.name == second.name and first.read_bytes() != second.read_bytes()
    assert str(members.splitlines()[0]) in done.stderr
    if shutil.which("diffoscope"):
        assert "toy.leaks" in (folder / "difference.txt").read_text()
        assert "<html" in (folder / "difference.html").read_text()
    for each in map(record.read, recorded):
        assert isinstance(each, Record) and not (each.folder / "reproduced.json").exists()
