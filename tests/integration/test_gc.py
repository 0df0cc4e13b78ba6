"""Room is made beside real builds."""

from __future__ import annotations

import signal

from tests.support.house import NO_ENGINE, House, own_vault


def test_beside_a_running_build_gc_removes_nothing_and_after_it_what_it_left(house: House) -> None:
    own_vault(house)
    unneeded = house.home / "sources" / "sha256" / "ee" / ("e" * 64)
    unneeded.parent.mkdir(parents=True, exist_ok=True)
    unneeded.write_bytes(b"nobody's")
    process = house.start("build", "toy", "--ending", "never")
    log = house.wait_for_log(process, "waiting")
    refused = house.run("gc", "--no-dry-run", **NO_ENGINE)
    assert refused.returncode == 1 and "another kiln process is at work" in refused.stderr
    assert log.exists() and unneeded.exists()
    process.send_signal(signal.SIGINT)
    process.communicate(timeout=120)
    done = house.run("gc", "--no-dry-run", **NO_ENGINE)
    assert done.returncode == 0, done.stderr
    assert not log.exists() and not unneeded.exists()
    assert house.run("build", "toy", "--offline").returncode == 0
