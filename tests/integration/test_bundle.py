"""A bundle, and a build from it on a machine that has nothing: no network, no image, an empty vault."""

from __future__ import annotations

import contextlib
import hashlib
import os
import re
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from kiln.lock import base
from kiln.recipe import bases as recipe_bases
from tests.support.house import House

if os.getuid() != 0 or shutil.which("podman") is None or shutil.which("unshare") is None:
    pytest.skip(
        "a second machine is an engine of its own, for root: podman and unshare", allow_module_level=True
    )


@dataclass(frozen=True)
class Machine:
    """A container engine with nothing in it, in a network namespace without interfaces."""

    socket: Path

    def run(self, house: House, *arguments: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            ["unshare", "--net", *house.command(*arguments)],
            env=house.environment(DOCKER_HOST=f"unix://{self.socket}"),
            capture_output=True, text=True, stdin=subprocess.DEVNULL, timeout=900,
        )  # fmt: skip


# Podman keeps state in several places of the machine: this engine gets places of its own, which end with it.
PLACES = """
mount --make-rprivate /
mount -t tmpfs tmpfs /run
mount -t tmpfs tmpfs /dev/shm
mount --bind "$1/storage" /var/lib/containers
exec podman $2 system service --time=0 "unix://$1/podman.sock"
"""


@contextlib.contextmanager
def machine() -> Iterator[Machine]:
    folder = Path(tempfile.mkdtemp(prefix="kiln-"))
    (folder / "storage").mkdir()
    hybrid = Path("/sys/fs/cgroup/unified").exists() and shutil.which("runc")
    script = ["sh", "-euc", PLACES, "sh", str(folder), "--runtime=runc" if hybrid else "--log-level=error"]
    with (folder / "log").open("w") as log:
        service = subprocess.Popen(
            ["unshare", "--net", "--mount", *script], stdin=subprocess.DEVNULL, stdout=log, stderr=log
        )
    try:
        while not (folder / "podman.sock").exists():
            assert service.poll() is None, (folder / "log").read_text()
            with contextlib.suppress(subprocess.TimeoutExpired):
                service.wait(timeout=0.05)
        yield Machine(folder / "podman.sock")
    finally:
        service.terminate()
        service.wait()
        shutil.rmtree(folder, ignore_errors=True)


def test_a_bundle_builds_the_same_wheel_on_a_machine_without_network(built: House, tmp_path: Path) -> None:
    house, wheel = built, built.wheel().read_bytes()
    made = house.run("bundle", "toy", "--output", str(tmp_path / "toy.tar"))
    assert made.returncode == 0, made.stderr
    packed = (tmp_path / "toy.tar").read_bytes()
    assert hashlib.sha256(packed).hexdigest() in made.stdout
    assert house.run("bundle", "toy", "--output", str(tmp_path / "again.tar")).returncode == 0
    assert (tmp_path / "again.tar").read_bytes() == packed

    # The other machine: the same checkout, and nothing else.
    shutil.rmtree(house.root / "dist")
    other = House(house.root, tmp_path / "other-home")
    with machine() as there:
        refused = there.run(other, "build", "toy", "--offline")
        assert refused.returncode == 3 and "was not asked: offline" in refused.stderr
        done = there.run(other, "build", "toy", "--bundle", str(tmp_path / "toy.tar"), "--offline")
        assert done.returncode == 0, done.stderr
        assert "toolchain" in done.stderr and "is taken from toy.tar" in done.stderr
        assert other.wheel().read_bytes() == wheel
        listed = there.run(other, "sources", "toy")
        assert "the bundle toy.tar" in listed.stdout
        # All sources; the packages that its images are made of are in the images.
        assert re.search(r"\n(\d+) of \1 in the vault", listed.stdout)

        # What the lock does not name any more, nobody needs: two images, and the virtual environments.
        lock = recipe_bases.base_lock(other.root, "bookworm")
        roots = {image.name: "e" * 64 for image in lock.images}
        recipe_bases.lock_path(other.root, "bookworm").write_text(base.render("bookworm", lock, roots))
        gone = there.run(other, "gc", "--no-dry-run")
        assert "removed 3," in gone.stdout, gone.stdout + gone.stderr
        assert "image" not in there.run(other, "gc").stdout
