"""Images made of the vault's packages alone, on a machine with an empty engine and without a network."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support import packages, signed_archive
from tests.support.house import House
from tests.support.machine import Machine, machine, needs_machine

pytestmark = needs_machine

INSTALL = "docker/base/install.sh"
LOCK = "recipes/bases/bookworm/lock.yaml"


@pytest.fixture
def there() -> Iterator[Machine]:
    with machine() as made:
        yield made


@pytest.fixture
def fetched(house: House) -> House:
    """A house whose vault has all that the recipe needs, and whose home has nothing else."""
    done = house.run("fetch", "toy")
    assert done.returncode == 0, done.stderr
    return house


def left(house: House) -> list[Path]:
    """What is left of the making of images; the folder of a finished build goes by a process of its own."""
    return [path for path in (house.home / "work").iterdir() if not path.name.startswith("trash-")]


def test_two_builds_at_once_make_the_images_once_on_an_empty_engine_from_a_bundle_of_packages_alone(
    fetched: House, there: Machine, tmp_path: Path
) -> None:
    file = tmp_path / "toy.tar"
    packed = there.run(fetched, "bundle", "toy", "--packages", "--offline", "--output", str(file))
    assert packed.returncode == 0, packed.stderr
    shutil.rmtree(fetched.root / "dist", ignore_errors=True)
    other = House(fetched.root, tmp_path / "other-home")
    builds = [
        there.start(other, "build", "toy", "--bundle", str(file), "--offline", "--cpu-features", features)
        for features in ("baseline", "sse4.2")
    ]
    said = [build.communicate(timeout=1800)[0] for build in builds]
    assert [build.returncode for build in builds] == [0, 0], said
    assert any("another kiln process is at work on image-" in each for each in said)
    folders = list((other.root / "dist/toy/1.0").iterdir())
    assert len(folders) == 2
    made = [json.loads((folder / "toolchain.json").read_text()) for folder in folders]
    assert made[0] == made[1]
    assert [image["name"] for image in made[0]["images"]] == ["runtime", "opencv"]
    assert {"libc6", "python3"} <= {package["name"] for package in made[0]["images"][0]["packages"]}
    assert left(other) == []


def test_another_root_file_system_is_an_error_that_names_the_first_file_that_differs(
    fetched: House, there: Machine
) -> None:
    with (fetched.root / INSTALL).open("a", encoding="utf-8") as script:
        script.write("echo changed >> /etc/motd\n")
    done = there.run(fetched, "build", "toy", "--offline")
    assert done.returncode == 5
    assert "the image runtime has the digest" in done.stderr and "/etc/motd is file" in done.stderr
    assert "image" not in there.run(fetched, "gc").stdout, "nothing wrong stays in the engine"
    assert left(fetched) == []


def test_packages_that_cannot_be_installed_show_the_last_lines(fetched: House, there: Machine) -> None:
    fetched.replace(INSTALL, "set -eu\n", "set -eu\necho this goes wrong\nexit 3\n")
    done = there.run(fetched, "build", "toy", "--offline")
    assert done.returncode == 4
    assert "cannot be installed (3)" in done.stderr and "this goes wrong" in done.stderr
    assert left(fetched) == []


def test_a_disk_that_is_full_half_way_leaves_nothing_and_says_what_to_do(
    fetched: House, there: Machine
) -> None:
    done = subprocess.run(
        ["prlimit", "--fsize=60000000", *fetched.command("build", "toy", "--offline")],
        env=fetched.environment(DOCKER_HOST=f"unix://{there.socket}"),
        capture_output=True, text=True, stdin=subprocess.DEVNULL, timeout=900,
    )  # fmt: skip
    assert done.returncode == 4
    assert "there is no room in" in done.stderr and "KILN_HOME" in done.stderr
    assert left(fetched) == []


def test_a_package_that_is_not_in_the_vault_is_named_with_its_version_and_hash(
    house: House, there: Machine, tmp_path: Path
) -> None:
    other = House(house.root, tmp_path / "other-home")
    done = there.run(other, "bundle", "toy", "--packages", "--offline")
    assert done.returncode == 3
    assert re.search(r"  apt: apt_\S+_amd64\.deb, sha256 [0-9a-f]{64}", done.stderr), done.stderr
    assert "--folder" in done.stderr


@pytest.mark.skipif(shutil.which("gpg") is None, reason="gpg is not installed")
def test_a_suite_whose_signature_has_expired_stops_only_the_next_lock(
    house: House, served: tuple[str, Path], tmp_path: Path
) -> None:
    address, site = served
    before = (house.root / LOCK).read_bytes()
    with signed_archive.key() as key:
        toy = {"toy": packages.deb(tmp_path, "toy", usr__share__toy=b"1")}
        signed_archive.write(
            site / "debian", "bookworm", toy, key, Valid_Until="Sun, 12 Jul 2026 10:16:37 UTC"
        )
        archive = {"KILN_DEBIAN_MIRROR": f"{address}/debian", "KILN_DEBIAN_KEYRING": str(key.keyring)}
        done = house.run("lock", "--base", "bookworm", **archive)
    assert done.returncode == 3
    assert "has expired" in done.stderr and "leave the lock as it is, which stays valid" in done.stderr
    assert "Traceback" not in done.stderr
    assert (house.root / LOCK).read_bytes() == before
    assert house.run("plan", "toy", **archive).returncode == 0
