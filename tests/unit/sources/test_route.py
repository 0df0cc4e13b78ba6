"""Proxies and certificates of variables, and of the programs that have settings of their own."""

from __future__ import annotations

import hashlib
from pathlib import Path

import pytest

from kiln.core import UsageError
from kiln.recipe import DebianOrigin, Source, UrlOrigin
from kiln.sources import FetchSettings, Vault, debian, npm, obtain
from kiln.sources.http import Session
from kiln.sources.progress import NoProgress
from kiln.sources.route import Route, described
from kiln.sources.settings import Patience
from tests.support.command import run
from tests.support.loopback import server
from tests.support.web import Site

APT = """\
Acquire::http "";
Acquire::http::Proxy "http://cache:3142/";
Acquire::http::Proxy::direct.example "DIRECT";
Acquire::https::Proxy::other.example "http://other:1/";
Acquire::https::CaInfo "/etc/ssl/own.pem";
APT::Architecture "amd64";
"""


def test_apts_own_proxies_and_certificates_are_read() -> None:
    found = debian.routed(APT)
    assert found.proxies == {
        "http": "http://cache:3142/", "https": "http://cache:3142/", "http://direct.example": "",
        "https://direct.example": "", "https://other.example": "http://other:1/",
    }  # fmt: skip
    assert found.cert == "/etc/ssl/own.pem"
    assert debian.routed('Acquire::http::Proxy "http://a/";\nAcquire::https::Proxy "DIRECT";\n').proxies == {
        "http": "http://a/", "https": "",
    }  # fmt: skip
    assert debian.routed("") == Route()


def test_certificates_that_apt_or_npm_names_and_that_do_not_exist_are_named(tmp_path: Path) -> None:
    program = tmp_path / "apt-config"
    program.write_text(f"#!/bin/sh\necho 'Acquire::https::CaInfo \"{tmp_path}/none.pem\";'\n")
    program.chmod(0o755)
    with pytest.raises(UsageError, match=r"apt is configured with .*none.pem, which does not exist"):
        debian.route({"PATH": str(tmp_path)})
    with pytest.raises(UsageError, match=r"npm is configured with .*none.pem, which does not exist"):
        npm.route({"HOME": str(tmp_path), "npm_config_cafile": f"{tmp_path}/none.pem"})


def test_npms_settings_count_where_there_is_no_npm(tmp_path: Path) -> None:
    (tmp_path / ".npmrc").write_text("proxy=http://p:1\nnoproxy=in.example\n")
    assert npm.route({"HOME": str(tmp_path), "npm_config_https_proxy": "http://s:2"}).proxies == {
        "http": "http://p:1", "https": "http://s:2", "http://in.example": "", "https://in.example": "",
    }  # fmt: skip
    assert npm.route({"HOME": str(tmp_path / "nobody")}) == Route()


def test_a_debian_package_comes_through_apts_proxy_and_no_other_file_does(tmp_path: Path) -> None:
    with server() as proxy, server() as site:
        program = tmp_path / "apt-config"
        program.write_text(f"#!/bin/sh\necho 'Acquire::http::Proxy \"{proxy.url}\";'\n")
        program.chmod(0o755)
        proxy.answers["http://archive.example/pool/a.deb"] = b"package"
        site.answers["/file"] = b"file"
        wanted = (
            Source("a", (DebianOrigin("pool/a.deb", hashlib.sha256(b"package").hexdigest()),)),
            Source("b", (UrlOrigin(f"{site.url}/file", hashlib.sha256(b"file").hexdigest()),)),
        )
        environment = {"PATH": str(tmp_path), "KILN_DEBIAN_MIRROR": "http://archive.example"}
        settings = FetchSettings(fallbacks=(), environment=environment)
        obtained = obtain(wanted, Vault(tmp_path / "vault"), settings, NoProgress())
    assert [each.path.read_bytes() for each in obtained] == [b"package", b"file"]
    assert proxy.paths() == ["http://archive.example/pool/a.deb"] and site.paths() == ["/file"]


@pytest.mark.parametrize(
    ("own", "variables", "expected"),
    [
        ("here", {"http_proxy": "http://127.0.0.1:9"}, True),  # a program's own setting before the variable
        ("here", {"no_proxy": "site.example"}, False),  # NO_PROXY before both
        ("none", {"http_proxy": "here"}, False),  # none of its own: not even the variable's
    ],
)
def test_a_programs_own_proxy_comes_before_that_of_variables_and_no_proxy_before_both(
    site: Site, monkeypatch: pytest.MonkeyPatch, own: str, variables: dict[str, str], expected: bool
) -> None:
    for name, value in variables.items():
        monkeypatch.setenv(name, site.address if value == "here" else value)
    route = Route({"http": site.address if own == "here" else ""})
    with route.taken_by(Session(), Patience()) as session:
        taken = session.merge_environment_settings("http://site.example/x", {}, None, None, None)["proxies"]
    assert (taken.get("http") == site.address) is expected


def test_a_plan_shows_the_way_without_secrets_and_a_bundle_that_does_not_exist(tmp_path: Path) -> None:
    given = {
        "HTTPS_PROXY": "http://me:secret@proxy:3128",
        "NO_PROXY": "in.example",
        "PIP_INDEX_URL": "https://you:token@index.example/simple",
        "REQUESTS_CA_BUNDLE": str(tmp_path / "none.pem"),
    }
    said = described(given)
    assert said == (
        "HTTPS_PROXY=http://proxy:3128; NO_PROXY=in.example; PIP_INDEX_URL=https://index.example/simple; "
        f"REQUESTS_CA_BUNDLE={tmp_path}/none.pem (which does not exist)"
    )
    assert described({}) == ""
    printed = run(tmp_path, "plan", "opencv", **given).stdout
    assert f"network      {said}" in printed
