"""What apt makes of an archive's signatures, as a lock of a base is resolved: by this machine's own apt."""

from __future__ import annotations

import shutil
import subprocess
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from kiln.core.errors import SourceError
from kiln.lock import base as locking
from kiln.recipe import bases as recipe_bases
from tests.support import packages, repository, signed_archive
from tests.support.repository import ROOT
from tests.support.signed_archive import INDEX, Key
from tests.support.web import Site, content

if shutil.which("apt-get") is None or shutil.which("gpg") is None:
    pytest.skip("apt-get and gpg are not installed", allow_module_level=True)

WANTED = {"base": ("toy",)}
PAST, FUTURE = "Sun, 12 Jul 2026 10:16:37 UTC", "Fri, 01 Jan 2100 00:00:00 UTC"


@pytest.fixture(scope="module")
def key() -> Iterator[Key]:
    with signed_archive.key() as made:
        yield made


def resolve(
    folder: Path, site: Site, key: Key, change: Callable[[Path], None] = lambda suite: None, **fields: str
) -> locking.Resolved:
    """What the package `toy` of the suite bookworm comes to; `change` is done to the suite once it is signed."""
    toy = packages.deb(folder, "toy", usr__share__toy=b"1")
    change(signed_archive.write(folder / "archive", "bookworm", {"toy": toy}, key, **fields))
    for path in (folder / "archive").rglob("*"):
        if path.is_file():
            site.put(f"/{path.relative_to(folder / 'archive')}", content(path.read_bytes()))
    base = recipe_bases.base(repository.make(folder / "root"), "bookworm")
    asked = folder / "resolve"
    asked.mkdir()
    locking.ask(asked, base, WANTED, site.address, key.keyring)
    done = subprocess.run(
        ["sh", ROOT / "docker/base/resolve.sh", asked],
        stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
    )  # fmt: skip
    if done.returncode:
        raise locking.refused(done.stdout.splitlines(), site.address)
    return locking.answer(asked, base, WANTED)


def forged(suite: Path) -> None:
    text = (suite / "InRelease").read_bytes()
    assert b"Origin: Debian" in text
    (suite / "InRelease").write_bytes(text.replace(b"Origin: Debian", b"Origin: Nobody"))


def unsigned(suite: Path) -> None:
    signed = (suite / "InRelease").read_text()
    (suite / "InRelease").unlink()
    (suite / "Release").write_text(signed.partition("\n\n")[2].partition("-----BEGIN")[0])


def other_index(suite: Path) -> None:
    text = (suite / INDEX).read_text()
    (suite / INDEX).write_text(text.replace("Version: 1.0", "Version: 1.1"))


def longer_index(suite: Path) -> None:
    (suite / INDEX).write_text((suite / INDEX).read_text() + "Package: more\n")


def test_a_signed_suite_is_taken_and_recorded(tmp_path: Path, site: Site, key: Key) -> None:
    found = resolve(tmp_path, site, key, Valid_Until=FUTURE)
    (toy,) = found.images["base"]
    assert (toy.name, toy.version, toy.pool) == ("toy", "1.0", "pool/main/t/toy/toy_1.0_all.deb")
    assert toy.sha256 == packages.sha256(tmp_path / toy.pool.rpartition("/")[2])
    assert found.suite.date == "2026-07-11T10:16:37Z"
    assert found.suite.inrelease == packages.sha256(tmp_path / "archive/dists/bookworm/InRelease")


def test_a_suite_that_was_valid_until_yesterday_has_expired(tmp_path: Path, site: Site, key: Key) -> None:
    with pytest.raises(SourceError, match=r"suite at .* has expired.*leave the lock as it is"):
        resolve(tmp_path, site, key, Valid_Until=PAST)


def test_a_suite_that_is_signed_by_an_expired_key_has_expired(tmp_path: Path, site: Site) -> None:
    with (
        signed_archive.key(expired=True) as old,
        pytest.raises(SourceError, match=r"has expired.*leave the lock as it is"),
    ):
        resolve(tmp_path, site, old)


@pytest.mark.parametrize("change", [forged, unsigned])
def test_a_suite_without_a_good_signature_is_not_signed(
    tmp_path: Path, site: Site, key: Key, change: Callable[[Path], None]
) -> None:
    with pytest.raises(SourceError, match=r"is not signed by a key that is trusted.*KILN_DEBIAN_KEYRING"):
        resolve(tmp_path, site, key, change)


def test_a_suite_that_is_signed_by_another_key_is_not_signed(tmp_path: Path, site: Site, key: Key) -> None:
    with signed_archive.key() as other, pytest.raises(SourceError, match="is not signed by a key"):
        resolve(tmp_path, site, replace(other, keyring=key.keyring))


@pytest.mark.parametrize("change", [other_index, longer_index])
def test_an_index_that_is_not_the_one_of_the_signed_release_is_refused(
    tmp_path: Path, site: Site, key: Key, change: Callable[[Path], None]
) -> None:
    with pytest.raises(SourceError, match="not the one that its signed Release lists") as caught:
        resolve(tmp_path, site, key, change)
    assert caught.value.exit_code == 3 and "Failed to fetch" in caught.value.detail
