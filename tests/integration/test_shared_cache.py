"""A cache of compiled objects that machines share, from the step's container to the server and back."""

from __future__ import annotations

import json
import os
import shutil
import signal
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from kiln.engine import connect
from tests.support import house as houses
from tests.support.house import Finished, House
from tests.support.object_server import Objects, object_server
from tests.support.repository import ROOT

LOGIN, KEY = "reader:of-nobodys-business", "what-the-server-does-not-know"
# What a step tries while it waits: the cache's own address, another one, and the machine's names.
TRIES = """\
never)
        for address in 127.0.0.1/{port} 192.0.2.1/80; do
            if (exec 3<>/dev/tcp/$address) 2> /dev/null; then echo "reached $address"; else echo "not $address"; fi
        done
        cat /sys/class/net/*/operstate | wc -l
        env | sort
        ls /kiln/cache
"""


@pytest.fixture
def objects() -> Iterator[Objects]:
    with object_server(login="Basic cmVhZGVyOm9mLW5vYm9keXMtYnVzaW5lc3M=") as found:
        yield found


def measured(house: House) -> dict[str, Any]:
    found: dict[str, Any] = json.loads((house.wheel().parent / "measured.json").read_text())["shared"]
    return found


def provenance(house: House) -> dict[str, Any]:
    text = (house.wheel().parent / "provenance.intoto.jsonl").read_text()
    found: dict[str, Any] = json.loads(text)["predicate"]["buildDefinition"]["internalParameters"]
    return found


def test_a_second_machine_takes_what_the_first_has_compiled_and_the_wheel_is_the_same(
    house: House, finished: Finished, objects: Objects, tmp_path: Path, vault: Path, served: tuple[str, Path]
) -> None:
    secrets = {"KILN_REMOTE_CACHE_LOGIN": LOGIN, "KILN_REMOTE_CACHE_KEY": KEY}
    first = house.run("build", "toy", "--remote-cache", objects.url, "--remote-cache-write", **secrets)
    assert first.returncode == 0, first.stderr
    assert measured(house)["counts"]["given"] > 0

    other = houses.make(tmp_path / "other", vault, served)
    shutil.copytree(finished.house.home / "venvs", other.home / "venvs", symlinks=True)
    kept = dict(objects.kept)
    settings = tmp_path / "settings" / "kiln"
    settings.mkdir(parents=True)
    example = (ROOT / "ci/farm/config.yaml").read_text()
    (settings / "config.yaml").write_text(example.replace("http://cache.example:8080", objects.url))
    (settings / "cache-login").write_text(f"{LOGIN}\n")
    (settings / "cache-key").write_text(f"{KEY}\n")
    second = other.run("build", "toy", XDG_CONFIG_HOME=str(settings.parent))
    assert second.returncode == 0, second.stderr
    assert "shared cache http://127.0.0.1" in second.stderr and "came from it, 0 did not" in second.stderr
    counts = measured(other)["counts"]
    assert (counts["missing"], counts["given"], counts["failures"]) == (0, 0, 0) and counts["taken"] > 0
    assert objects.kept == kept
    assert finished.house.wheel().read_bytes() == house.wheel().read_bytes() == other.wheel().read_bytes()

    assert f"objects from {objects.url}, 0 given to it" in (other.wheel().parent / "report.html").read_text()
    assert provenance(other)["sharedCache"] == objects.url and "sharedCache" not in provenance(finished.house)
    said = other.run("check", str(other.wheel()))
    assert said.returncode == 0 and "compiled with a cache that others can write" in " ".join(
        said.stdout.split()
    ), said.stdout
    for record in (house, other):
        for file in record.wheel().parent.iterdir():
            content = file.read_bytes()
            assert not [secret for secret in (LOGIN, KEY, "cmVhZGVy") if secret.encode() in content]
    # What came from others stays where builds without that cache do not look.
    assert not other.cache().exists()


def test_a_step_reaches_the_cache_and_nothing_else_and_sees_no_login(house: House, objects: Objects) -> None:
    tries = TRIES.replace("{port}", objects.url.rpartition(":")[2])
    house.replace("docker/opencv/compile.sh", "never)", tries)
    build = house.start(
        "build", "toy", "--ending", "never", "--remote-cache", objects.url, KILN_REMOTE_CACHE_LOGIN=LOGIN
    )
    try:
        log = house.wait_for_log(build, "waiting")
        with connect(os.environ) as engine:
            (folder,) = (house.home / "builds").iterdir()
            (container,) = engine._labelled(str(folder))
            inspected = json.dumps(container.attrs)
    finally:
        build.send_signal(signal.SIGINT)
        build.communicate()
    said = log.read_text()
    assert "reached" not in said and said.count("\nnot ") == 2
    assert "CCACHE_REMOTE_STORAGE=redis+unix:/kiln/cache/redis" in said and "\nhttp\nredis\n" in said
    for hidden in (*LOGIN.split(":"), "cmVhZGVy", objects.url.rpartition("/")[2]):
        assert hidden not in inspected and hidden not in said.replace("not 127.0.0.1", "")
