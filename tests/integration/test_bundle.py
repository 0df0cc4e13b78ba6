"""A bundle, and a build from it on a machine that has nothing: no network, no image, an empty vault."""

from __future__ import annotations

import re
import shutil
from pathlib import Path

from kiln.core import sha256_of
from kiln.lock import base
from kiln.recipe import bases as recipe_bases
from tests.support.house import House
from tests.support.machine import machine, needs_machine

pytestmark = needs_machine


def test_a_bundle_builds_the_same_wheel_on_a_machine_without_network(built: House, tmp_path: Path) -> None:
    house, wheel = built, built.wheel().read_bytes()
    made = house.run("bundle", "toy", "--output", str(tmp_path / "toy.tar"))
    assert made.returncode == 0, made.stderr
    assert sha256_of(tmp_path / "toy.tar") in made.stdout

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

        # What the lock does not name any more, nobody needs: two images, the virtual environments, and two compile caches.
        lock = recipe_bases.base_lock(other.root, "bookworm")
        roots = {image.name: "e" * 64 for image in lock.images}
        recipe_bases.lock_path(other.root, "bookworm").write_text(base.render("bookworm", lock, roots))
        gone = there.run(other, "gc", "--no-dry-run")
        assert "removed 5," in gone.stdout, gone.stdout + gone.stderr
        assert "image" not in there.run(other, "gc").stdout
