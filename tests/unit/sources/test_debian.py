from __future__ import annotations

import hashlib
from dataclasses import replace
from pathlib import Path

import pytest

from kiln.core.errors import SourceError
from kiln.recipe.source import DebianOrigin, Source
from kiln.sources import debian, fetch
from kiln.sources.errors import OriginError
from kiln.sources.settings import Patience
from kiln.sources.vault import Vault
from tests.support.web import Listener, Site, content

DATA = b"!<arch>\ndebian-binary"
ORIGIN = DebianOrigin("pool/main/t/toy/toy_1.0~rc1+b2_amd64.deb", hashlib.sha256(DATA).hexdigest(), len(DATA))
QUICK = fetch.FetchSettings(patience=Patience(pauses=()), fallbacks=())


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
    settings = replace(QUICK, environment={"KILN_DEBIAN_MIRROR": site.address, "PATH": ""})
    site.put(f"/{ORIGIN.debian}", content(DATA[::-1]))
    with pytest.raises(SourceError, match=r"toy_1\.0"):
        fetch.obtain([Source("toy", (ORIGIN,))], Vault(tmp_path), settings, Listener())


def test_archives_are_asked_in_apts_order_each_once_and_debians_own_alone() -> None:
    said = """\
Debian http://one.example/debian
Debian http://one.example/debian
Debian https://two.example/security
Other https://packages.other.example/apt
Debian cdrom://[disc]
"""
    assert debian.configured(said) == ("http://one.example/debian", "https://two.example/security")


def test_an_apt_that_has_never_fetched_its_lists_names_its_archives_all_the_same() -> None:
    assert debian.configured(" http://one.example/debian\n") == ("http://one.example/debian",)


def test_a_machine_without_apt_and_mirror_is_told_what_to_set() -> None:
    with pytest.raises(OriginError, match="KILN_DEBIAN_MIRROR"):
        debian.urls(ORIGIN, {"PATH": ""})
    assert debian.urls(ORIGIN, {"KILN_DEBIAN_MIRROR": "http://m.example/", "PATH": ""}) == (
        f"http://m.example/{ORIGIN.debian}",
    )
