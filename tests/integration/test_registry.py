"""A base that starts from an image of a registry."""

from __future__ import annotations

import os
import re
import shutil
import tarfile
from pathlib import Path

import pytest

from kiln.engine import connect, toolchain
from kiln.recipe import bases
from tests.support import packages, signed_archive
from tests.support.house import House
from tests.support.machine import machine, needs_machine
from tests.support.registry import registry

pytestmark = [
    needs_machine,
    pytest.mark.skipif(shutil.which("gpg") is None, reason="gpg is not installed"),
    pytest.mark.skipif(
        "KILN_TEST_REGISTRY" not in os.environ,
        reason="set KILN_TEST_REGISTRY=1: it takes a minute and a half",
    ),
]

BASE = """\
suite: bookworm
image: {image}
python: "3.11"
glibc: "2.36"
compilers: [12]
packages: []
runtime: [toy-lib]
"""
# What dpkg and apt do not need: the image is smaller.
LEFT_OUT = re.compile(r"usr/(share/(doc|man|locale|zoneinfo|perl|info)|lib/python3)[^/]*/.*")


@pytest.fixture
def image(house: House, tmp_path: Path) -> Path:
    """The root file system of the image `runtime` of the base bookworm, as a registry might have it."""
    locked = bases.base_lock(house.root, "bookworm").image("bookworm", "runtime")
    assert locked
    exported, smaller = tmp_path / "exported.tar", tmp_path / "smaller.tar"
    with connect(os.environ) as engine:
        engine.export_root(toolchain.tag_of(locked), exported)
    with tarfile.open(exported) as source, tarfile.open(smaller, "w") as target:
        for member in source:
            if not LEFT_OUT.fullmatch(member.name):
                target.addfile(member, source.extractfile(member) if member.isreg() else None)
    exported.unlink()
    return smaller


def test_a_base_starts_from_an_image_by_its_digest_and_its_packages_are_recorded(
    house: House, image: Path, served: tuple[str, Path], tmp_path: Path
) -> None:
    address, site = served
    folder = house.root / "recipes/bases/registered"
    folder.mkdir()
    (house.root / "docker/opencv/packages.yaml").write_text("packages: [toy-tool]\n", encoding="utf-8")
    house.replace("recipes/toy/recipe.yaml", "base: [bookworm]", "base: [bookworm, registered]")
    file = tmp_path / "toy.tar"
    with signed_archive.key() as key:
        made = {
            name: packages.deb(tmp_path, name, **{f"usr__share__{name}": b"1"})
            for name in ("toy-lib", "toy-tool")
        }
        signed_archive.write(site / "registered", "bookworm", made, key)
        archive = {"KILN_DEBIAN_MIRROR": f"{address}/registered", "KILN_DEBIAN_KEYRING": str(key.keyring)}
        with registry(image) as reference, machine(reference.partition("/")[0]) as there:
            (folder / "base.yaml").write_text(BASE.format(image=reference), encoding="utf-8")
            done = there.run(house, "lock", "--base", "registered", **archive)
            assert done.returncode == 0, done.stderr
            assert "+ toy-tool 1.0" in done.stderr
            packed = there.run(
                house, "bundle", "toy", "--base", "registered", "--packages", "--output", str(file), **archive
            )
            assert packed.returncode == 0, packed.stderr

    lock = bases.base_lock(house.root, "registered")
    assert lock.registry and lock.registry.image == reference
    assert {"libc6", "dpkg", "apt"} <= {each.name for each in lock.installed}
    assert {each.name: each.images for each in lock.packages} == {
        "toy-lib": ("runtime",),
        "toy-tool": ("opencv",),
    }
    planned = house.run("plan", "toy", "--base", "registered")
    assert f"2 packages of bookworm, 0.0 MB, on {len(lock.installed)} of {reference}" in planned.stdout

    # Elsewhere, without the registry and the archive: the packages and what they are installed on are in the bundle.
    other = House(house.root, tmp_path / "other-home")
    command = ("bundle", "toy", "--base", "registered", "--offline", "--output", str(tmp_path / "images.tar"))
    with machine() as there:
        command = (
            "bundle",
            "toy",
            "--base",
            "registered",
            "--offline",
            "--output",
            str(tmp_path / "images.tar"),
        )
        refused = there.run(other, *command)
        assert refused.returncode == 3 and "Traceback" not in refused.stderr
        # The build takes what is in the bundle and makes the images; then it has no compiler, and no whole Python.
        built = there.run(other, "build", "toy", "--base", "registered", "--bundle", str(file), "--offline")
        assert "✓ toolchain" in built.stderr and "compile" in built.stderr, built.stderr
        made_again = there.run(other, *command)
        assert made_again.returncode == 0, made_again.stderr
