from __future__ import annotations

import hashlib
import json
import os
import sys
from pathlib import Path

import pytest

from kiln.core.errors import UsageError
from kiln.recipe.source import PypiOrigin
from kiln.sources import pypi
from kiln.sources.download import Downloader
from kiln.sources.errors import AbsentError, OriginError
from kiln.sources.pypi import Pip
from kiln.sources.settings import Patience
from tests.support import web
from tests.support.web import Site

DATA = b"sdist"
SHA256 = hashlib.sha256(DATA).hexdigest()
FILE = "My_Package-1.0.tar.gz"
ORIGIN = PypiOrigin(pypi="My_Package", file=FILE, sha256=SHA256, size=len(DATA))
QUICK = Downloader(Patience(connect=5, stall=5, pauses=(0,)))
PROJECT = "/simple/my-package/"


def page(href: str = f"../../files/{FILE}", sha256: str = SHA256) -> bytes:
    return (
        f'<html><a href="{href}#sha256={sha256}">{FILE}</a><a href="/x">other-1.0.tar.gz</a></html>'.encode()
    )


def document(url: str = f"../../files/{FILE}", sha256: str = SHA256) -> bytes:
    files = [{"filename": FILE, "url": url, "hashes": {"sha256": sha256}}]
    return json.dumps(
        {"name": "my-package", "meta": {"api-version": "1.1"}, "files": files, "versions": []}
    ).encode()


HTML = {"kind": "text/html; charset=utf-8"}
JSON = {"kind": "application/vnd.pypi.simple.v1+json"}


def in_index(site: Site) -> str | Path:
    place = f"{site.address}/simple/"
    return pypi.locate(ORIGIN, place, Pip(indexes=(place,)), QUICK)


def refusal(site: Site, kind: type[OriginError] = OriginError) -> str:
    with pytest.raises(kind) as caught:
        in_index(site)
    return str(caught.value)


def test_pips_own_settings_are_taken_in_its_order() -> None:
    pip = pypi.parse(
        "global.index-url='https://a/simple'\nglobal.extra-index-url='https://b/simple\\nhttps://c/simple'\n"
        "install.find-links='/wheels https://d/'\nglobal.find-links='/ignored'\n:env:.cert='/ca.pem'\n"
        "global.trusted-host='e f'\nglobal.proxy='http://proxy:1'\nglobal.client-cert='/me.pem'\n"
    )
    assert pip == Pip(
        ("https://a/simple", "https://b/simple", "https://c/simple"), ("/wheels", "https://d/"), ("e", "f"),
        "/ca.pem", "/me.pem", "http://proxy:1",
    )  # fmt: skip
    assert list(pypi.places(pip)) == [
        "/wheels", "https://d/", "https://a/simple", "https://b/simple", "https://c/simple",
    ]  # fmt: skip


@pytest.mark.parametrize("listing", [":env:.no-index='1'\n", "global.no-index='true'\n"])
def test_without_an_index_only_links_are_left(listing: str) -> None:
    assert list(pypi.places(pypi.parse(listing + "global.find-links='/wheels'\n"))) == ["/wheels"]


def test_a_setting_that_is_no_url_is_told() -> None:
    with pytest.raises(UsageError, match=r"pip is configured with 'http://\[bad', which is not a URL"):
        pypi.parse("global.index-url='http://me:secret@[bad'\n")


def test_the_environment_and_the_files_of_pip_are_asked(tmp_path: Path) -> None:
    (tmp_path / "pip.conf").write_text("[global]\nextra-index-url = https://b/simple\n")
    environment = {
        **os.environ,
        "PIP_CONFIG_FILE": str(tmp_path / "pip.conf"),
        "PIP_INDEX_URL": "https://a/simple",
    }
    assert pypi.configuration(environment).indexes == ("https://a/simple", "https://b/simple")


def test_where_there_is_no_pip_its_variables_are_read(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "executable", "/bin/false")
    found = pypi.configuration({"PIP_INDEX_URL": "https://a/simple", "PIP_FIND_LINKS": "/x /y", "PIPX": "z"})
    assert found == Pip(("https://a/simple",), ("/x", "/y"))


@pytest.mark.parametrize(("body", "kind"), [(page, HTML), (document, JSON)], ids=["html", "json"])
def test_a_file_is_found_in_an_index_of_either_form(site: Site, body: object, kind: dict[str, str]) -> None:
    site.put(PROJECT, web.content(body(), **kind))  # type: ignore[operator]
    assert in_index(site) == f"{site.address}/files/{FILE}"


def test_an_index_that_moved_is_followed(site: Site) -> None:
    site.put(PROJECT, web.redirect("/new/my-package/"))
    site.put("/new/my-package/", web.content(page(), **HTML))
    assert in_index(site) == f"{site.address}/files/{FILE}"


def test_a_login_of_an_index_is_used_and_not_handed_on(site: Site) -> None:
    site.put(PROJECT, web.content(page(), **HTML))
    place = site.address.replace("://", "://me:secret@") + "/simple"
    assert pypi.locate(ORIGIN, place, Pip(indexes=(place,)), QUICK) == f"{site.address}/files/{FILE}"
    assert site.headers[0]["Authorization"].startswith("Basic ")


def test_a_page_of_links_is_read(site: Site) -> None:
    place = site.put("/wheels.html", web.content(page(f"files/{FILE}"), **HTML))
    assert pypi.locate(ORIGIN, place, Pip((), (place,)), QUICK) == f"{site.address}/files/{FILE}"


@pytest.mark.parametrize(
    "answer",
    [web.status(404), web.content(b"<html>please log in</html>", **HTML), web.content(b"", **HTML)],
    ids=["no project", "login page", "empty"],
)
def test_an_index_that_does_not_have_a_file_is_no_failure(site: Site, answer: web.Answer) -> None:
    site.put(PROJECT, answer)
    assert refusal(site, AbsentError).startswith("has no such ")


@pytest.mark.parametrize(
    ("answer", "reason"),
    [
        (web.status(503), "answers 503 Service Unavailable"),
        (web.status(401), "answers 401 Unauthorized"),
        (web.content(b"{", **JSON), "is not a package index that can be read"),
        (web.content(b'{"files": 3}', **JSON), "is not a package index that can be read"),
        (web.content(document(url="http://[bad/x"), **JSON), "is not a package index that can be read"),
        (web.content(page("http://[bad/x"), **HTML), "is not a package index that can be read"),
        (web.content(b"x", kind="image/png"), "is not a package index, but of the type image/png"),
        (web.content(page(sha256="0" * 64), **HTML), "lists another file of that name, with the sha256 000"),
        (web.content(page("file:///etc/passwd"), **HTML), "lists the file at a place that is not followed"),
        (web.content(page("/etc/passwd").replace(b"/etc", b"ftp://h"), **HTML), "lists the file at a place"),
        (web.redirect("file:///etc/passwd"), "redirects to file:, which is not followed"),
        (web.redirect(PROJECT), "redirects more than 8 times"),
        (web.raw(b"nonsense"), "cannot be reached"),
    ],
)  # fmt: skip
def test_an_index_that_fails_is_told_in_a_few_words(site: Site, answer: web.Answer, reason: str) -> None:
    site.put(PROJECT, answer)
    told = refusal(site)
    assert told.startswith(reason)


def test_an_index_in_trouble_is_asked_again(site: Site) -> None:
    site.put(PROJECT, web.status(503), web.content(page(), **HTML))
    assert in_index(site) == f"{site.address}/files/{FILE}"


def test_an_endless_page_is_bounded(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pypi, "MAX_PAGE", 1 << 20)
    site.put(PROJECT, web.endless(b"<a>" * 1000))
    assert refusal(site) == f"has more than {1 << 20} bytes"


def test_an_index_does_not_lead_away_from_tls(site: Site, self_signed: Path) -> None:
    with Site(self_signed) as safe:
        safe.put(PROJECT, web.content(page(f"{site.address}/files/{FILE}"), **HTML))
        place = f"{safe.address}/simple"
        with pytest.raises(OriginError, match="not trusted"):
            pypi.locate(ORIGIN, place, Pip((place,)), QUICK)
        for pip in (Pip((place,), cert=str(self_signed)), Pip((place,), trusted=("127.0.0.1",))):
            with pytest.raises(OriginError, match="at a place that is not followed"):
                pypi.locate(ORIGIN, place, pip, QUICK)
        safe.put(PROJECT, web.content(page(), **HTML))
        assert pypi.locate(ORIGIN, place, pip, QUICK) == f"{safe.address}/files/{FILE}"


def local(place: Path | str, index: bool = False) -> str | Path:
    return pypi.locate(ORIGIN, str(place), Pip((str(place),) if index else (), (str(place),)), QUICK)


def test_a_file_is_found_in_a_folder_of_links(tmp_path: Path) -> None:
    (tmp_path / FILE).write_bytes(DATA)
    assert local(tmp_path) == local(tmp_path.as_uri()) == tmp_path / FILE


def test_a_file_is_found_in_an_index_on_the_disk(tmp_path: Path) -> None:
    (tmp_path / "simple" / "my-package").mkdir(parents=True)
    (tmp_path / "simple" / "my-package" / "index.html").write_bytes(page(f"../../a%20b/{FILE}"))
    for place in (tmp_path / "simple", (tmp_path / "simple").as_uri()):
        assert local(place, index=True) == tmp_path / "a b" / FILE


def test_a_page_on_the_disk_may_lead_to_the_network(tmp_path: Path) -> None:
    (tmp_path / "links.html").write_bytes(page("https://example.org/x"))
    assert local(tmp_path / "links.html") == "https://example.org/x"


def test_a_local_place_without_the_file_is_no_failure(tmp_path: Path) -> None:
    for place, index in ((tmp_path, False), (tmp_path, True), (tmp_path / "nowhere", False)):
        with pytest.raises(AbsentError):
            local(place, index)


def test_a_local_place_that_cannot_be_read_is_told() -> None:
    with pytest.raises(OriginError, match="cannot be read") as caught:
        local("/" + "x" * 300)
    assert not isinstance(caught.value, AbsentError)


def test_certificates_of_pips_settings_that_are_not_there_are_named(tmp_path: Path) -> None:
    (tmp_path / "pip.conf").write_text(f"[global]\ncert = {tmp_path}/own.pem\n", encoding="utf-8")
    environment = {**os.environ, "PIP_CONFIG_FILE": str(tmp_path / "pip.conf")}
    with pytest.raises(
        UsageError, match=r"pip is configured with the certificates in .*own\.pem, which does not"
    ):
        pypi.configuration(environment)
