from __future__ import annotations

import hashlib
from pathlib import Path

import pytest

from kiln.lock.lookup import Lookup
from kiln.lock.pinning import Wanted
from kiln.sources.settings import FetchSettings, Patience
from kiln.sources.vault import Vault
from tests.support import web
from tests.support.web import Site

DATA = bytes(range(256)) * 100
MD5 = hashlib.md5(DATA, usedforsecurity=False).hexdigest()


def lookup(folder: Path, **settings: object) -> Lookup:
    patience = Patience(connect=5, stall=5, pauses=(0, 0))
    return Lookup(Vault(folder / "vault"), FetchSettings(patience=patience, **settings), folder)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    "first",
    [web.status(503), web.cut(DATA, 1000), web.content(b"another"), web.status(404)],
    ids=["busy", "cut off", "another file", "gone"],
)
def test_a_file_is_found_by_its_md5_whatever_the_first_answer_was(
    tmp_path: Path, site: Site, first: web.Answer
) -> None:
    urls = (site.put("/x", first, web.content(DATA)), site.put("/y", web.content(DATA)))
    path = lookup(tmp_path).by_md5(Wanted("x", urls, md5=MD5))
    assert path is not None and path.read_bytes() == DATA
    assert path.name == hashlib.sha256(DATA).hexdigest()


def test_a_file_that_is_nowhere_and_a_redirect_away_from_the_web_give_none(
    tmp_path: Path, site: Site
) -> None:
    urls = (site.put("/x", web.redirect("file:///etc/passwd")), f"{site.address}/gone")
    assert lookup(tmp_path).by_md5(Wanted("x", urls, md5=MD5)) is None
    assert not list((tmp_path / "vault").glob("sha256/*/*"))


def test_offline_no_url_is_asked(tmp_path: Path, site: Site) -> None:
    wanted = Wanted("x", (site.put("/x", web.content(DATA)),), md5=MD5)
    assert lookup(tmp_path, offline=True).by_md5(wanted) is None
    assert site.asked == []
