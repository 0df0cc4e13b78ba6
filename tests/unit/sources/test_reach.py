from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import pytest

from kiln.core import Finding
from kiln.sources import FetchSettings, reach
from tests.support import web
from tests.support.web import Site

NOW = 1_800_000_000.0
# No program of the machine is asked for its archives.
NOBODY = {"PATH": "/nowhere"}


def found(environment: Mapping[str, str], now: float = NOW, offline: bool = False) -> dict[str, Finding]:
    settings = FetchSettings(environment={**NOBODY, **environment}, offline=offline)
    return {each.what: each for each in reach.findings(settings, "bookworm", now, NOW - 1000)}


def online(site: Site) -> dict[str, str]:
    return {"PIP_INDEX_URL": f"{site.address}/simple", "KILN_DEBIAN_MIRROR": f"{site.address}/debian"}


def test_an_index_and_an_archive_that_answer_are_named_without_a_login(site: Site) -> None:
    site.put("/simple/pip/", web.content(b"<html>", kind="text/html"))
    site.put("/debian/dists/bookworm/InRelease", web.content(b"signed"))
    login = site.address.replace("//", "//me:secret@")
    rows = found({**online(site), "PIP_INDEX_URL": f"{login}/simple", "PIP_CONFIG_FILE": "/dev/null"})
    assert rows["package index"] == Finding("package index", True, f"{site.address}/simple answers")
    assert rows["Debian's archive"].good
    assert not any("secret" in row.found for row in rows.values())


def test_what_does_not_answer_is_named_with_the_reason_and_what_helps(site: Site) -> None:
    site.put("/simple/pip/", web.status(403))
    rows = found(online(site))
    assert rows["package index"].found == f"{site.address}/simple answers 403 Forbidden"
    assert "pip config list" in rows["package index"].cure
    assert not rows["Debian's archive"].good and "KILN_DEBIAN_MIRROR" in rows["Debian's archive"].cure


def test_the_time_of_a_server_is_compared(site: Site) -> None:
    site.put("/simple/pip/", web.content(b"<html>", kind="text/html"))
    assert "beside the servers'" in found(online(site))["clock"].found  # it says what the time really is
    assert not found(online(site))["clock"].good


@pytest.mark.parametrize(
    ("now", "server", "good"),
    [(NOW, None, True), (NOW, NOW - 299, True), (NOW, NOW + 301, False), (NOW - 2000, None, False)],
)
def test_a_clock_is_right_beside_a_server_s_and_after_what_is_past(
    now: float, server: float | None, good: bool
) -> None:
    assert reach.clock(now, NOW - 1000, server).good is good


def test_offline_nobody_is_asked(site: Site) -> None:
    rows = found(online(site), offline=True)
    assert rows["network"].found == "not asked: offline"
    assert "package index" not in rows and not site.asked


def test_proxies_and_certificates_are_shown_and_what_is_wrong_with_them(tmp_path: Path, site: Site) -> None:
    own = tmp_path / "own.pem"
    own.write_text("-----BEGIN CERTIFICATE-----\n")
    shown = found(
        {"https_proxy": "http://me:secret@proxy:3128", "NO_PROXY": "local", "PIP_CERT": str(own)},
        offline=True,
    )
    assert shown["proxies"] == Finding("proxies", True, "HTTPS_PROXY=http://proxy:3128, NO_PROXY=local")
    assert shown["certificates"].found == str(own)
    wrong = found(
        {**online(site), "HTTP_PROXY": "http://:99999", "REQUESTS_CA_BUNDLE": str(tmp_path / "none")}
    )
    assert not wrong["proxies"].good and "HTTP_PROXY as http://HOST:PORT" in wrong["proxies"].cure
    assert not wrong["certificates"].good and "which does not exist" in wrong["certificates"].found
    # Nothing can be reached as long as these are wrong: that is not asked.
    assert not site.asked
