from __future__ import annotations

import hashlib
from dataclasses import replace
from pathlib import Path

import pytest

from kiln.core.errors import SourceError
from kiln.recipe.source import DebianOrigin, Source
from kiln.sources import debian, fetch, status
from kiln.sources.settings import Patience
from kiln.sources.vault import Vault
from tests.support.web import Listener, Site, content

DATA = b"!<arch>\ndebian-binary"
ORIGIN = DebianOrigin("pool/main/t/toy/toy_1.0~rc1+b2_amd64.deb", hashlib.sha256(DATA).hexdigest(), len(DATA))
QUICK = fetch.FetchSettings(patience=Patience(pauses=()), fallbacks=())


def everywhere(address: str, **other: str) -> dict[str, str]:
    """An environment in which all of Debian is at one address; without apt in PATH there is no other archive."""
    names = ("KILN_DEBIAN_MIRROR", "KILN_DEBIAN_SNAPSHOT", "KILN_DEBIAN_OLD")
    return {**dict.fromkeys(names, address), "PATH": "", **other}


KEPT = replace(ORIGIN, sha1="5" * 40, snapshot="20260713T101637Z")


def test_a_file_comes_from_the_mirror_that_the_environment_names(site: Site, tmp_path: Path) -> None:
    settings = replace(QUICK, environment={"KILN_DEBIAN_MIRROR": f"{site.address}/debian/"})
    site.put("/debian/pool/main/t/toy/toy_1.0~rc1+b2_amd64.deb", content(DATA))
    source = Source("toy", (ORIGIN,))
    (obtained,) = fetch.obtain([source], Vault(tmp_path), settings, Listener())
    assert obtained.path.read_bytes() == DATA
    assert obtained.origin == "debian: toy_1.0~rc1+b2_amd64.deb"
    assert source.file == "toy_1.0~rc1+b2_amd64.deb"


def test_another_file_under_the_name_is_not_used(site: Site, tmp_path: Path) -> None:
    # Without apt in PATH there is no other archive.
    settings = replace(QUICK, environment=everywhere(site.address))
    site.put(f"/{ORIGIN.debian}", content(DATA[::-1]))
    with pytest.raises(SourceError, match=r"toy_1\.0"):
        fetch.obtain([Source("toy", (ORIGIN,))], Vault(tmp_path), settings, Listener())


def test_debians_archives_are_asked_in_apts_order_each_once_and_no_other_makers() -> None:
    said = """\
Debian http://one.example/debian
Debian http://one.example/debian
Debian https://two.example/security
Other https://packages.other.example/apt
Ubuntu http://ubuntu.example/ubuntu
Debian cdrom://[disc]
"""
    assert debian.configured(said) == ("http://one.example/debian", "https://two.example/security")


def test_an_apt_that_has_never_fetched_its_lists_names_its_archives_all_the_same() -> None:
    assert debian.configured(" http://one.example/debian\n") == ("http://one.example/debian",)


def test_the_archives_of_this_machine_come_first_then_what_debian_keeps() -> None:
    places = {"KILN_DEBIAN_SNAPSHOT": "http://snap.example/", "KILN_DEBIAN_OLD": "http://old.example/debian/"}
    assert debian.urls(KEPT, ("http://m.example/debian",), places) == (
        f"http://m.example/debian/{KEPT.debian}",
        f"http://snap.example/archive/debian/20260713T101637Z/{KEPT.debian}",
        f"http://snap.example/file/{KEPT.sha1}",
        f"http://old.example/debian/{KEPT.debian}",
    )
    assert [url.split("/")[2] for url in debian.urls(KEPT, (), {})] == [
        "snapshot.debian.org", "snapshot.debian.org", "archive.debian.org",
    ]  # fmt: skip


def test_a_machine_without_apt_has_the_mirror_of_its_environment() -> None:
    assert debian.mirrors({"PATH": ""}) == ()
    assert debian.mirrors({"KILN_DEBIAN_MIRROR": "http://m.example/", "PATH": ""}) == ("http://m.example",)


@pytest.mark.parametrize(
    "path", [f"/archive/debian/20260713T101637Z/{KEPT.debian}", f"/file/{KEPT.sha1}", f"/old/{KEPT.debian}"]
)
def test_what_has_left_the_mirrors_comes_from_where_debian_keeps_it(
    site: Site, tmp_path: Path, path: str
) -> None:
    environment = everywhere(
        site.address, KILN_DEBIAN_MIRROR=f"{site.address}/mirror", KILN_DEBIAN_OLD=f"{site.address}/old"
    )
    settings = replace(QUICK, environment=environment)
    # A mirror that serves another file under the pinned name is passed by.
    site.put(f"/mirror/{KEPT.debian}", content(DATA[::-1]))
    site.put(path, content(DATA))
    listener = Listener()
    (obtained,) = fetch.obtain([Source("toy", (KEPT,))], Vault(tmp_path), settings, listener)
    assert obtained.path.read_bytes() == DATA
    assert any("/mirror/" in note for note in listener.notes)


def test_a_package_that_nobody_has_any_more_is_told_with_version_hash_and_ways(
    site: Site, tmp_path: Path
) -> None:
    settings = replace(QUICK, environment=everywhere(site.address))
    with pytest.raises(SourceError) as caught:
        fetch.obtain([Source("toy", (KEPT,))], Vault(tmp_path), settings, Listener())
    said = str(caught.value)
    assert caught.value.exit_code == 3
    for part in ("toy_1.0~rc1+b2_amd64.deb", KEPT.sha256, f"/file/{KEPT.sha1}", "--folder", "KILN_MIRRORS"):
        assert part in said


def test_every_place_of_a_package_is_asked_for_until_one_has_it(site: Site, tmp_path: Path) -> None:
    environment = everywhere(site.address, KILN_DEBIAN_MIRROR=f"{site.address}/mirror")
    settings = replace(QUICK, environment=environment)
    site.put(f"/file/{KEPT.sha1}", content(DATA))
    (standing,) = status.survey([Source("toy", (KEPT,))], Vault(tmp_path), settings, ask=True)
    assert [bool(answer.reason) for answer in standing.answers] == [True, True, False]
    assert [answer.url for answer in standing.dead] == [f"{site.address}/mirror/{KEPT.debian}"]


@pytest.mark.parametrize(
    ("path", "package"),
    [
        ("pool/main/t/toy/libtoy-dev_1.0~rc1+b2_amd64.deb", ("libtoy-dev", "1.0~rc1+b2", "amd64")),
        ("pool/main/t/toy/toy_4.3.7.orig.tar.xz", ("toy", "4.3.7", "source")),
    ],
)
def test_an_origin_says_which_package_it_is_or_is_the_source_of(
    path: str, package: tuple[str, str, str]
) -> None:
    assert DebianOrigin(path, "a" * 64).package == package
