from __future__ import annotations

import base64
import hashlib
import io
import json
import tarfile
import zipfile
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import urlsplit

import pytest

from kiln.core.errors import SourceError
from kiln.recipe.source import NpmOrigin, PypiOrigin, Source, UrlOrigin
from kiln.sources import fetch, npm
from kiln.sources.download import OriginError, Patience
from kiln.sources.fetch import FetchSettings, Vault
from tests.support.loopback import Notes, Server, server

IMPATIENT = Patience(pauses=())


class Registry(Server):
    """A registry of npm packages, at `place`."""

    @property
    def place(self) -> str:
        return self.url + "/npm/"

    def publish(self, origin: NpmOrigin, content: bytes, at: str = "") -> None:
        """A version whose listing names `at`, by default this registry's usual address."""
        path = f"/npm/{origin.npm}/-/{origin.filename}"
        listing = {"versions": {origin.version: {"dist": {"tarball": at or self.url + path}}}}
        self.answers[f"/npm/{origin.npm.replace('/', '%2F')}"] = json.dumps(listing).encode()
        self.answers[path] = content


@pytest.fixture
def registry() -> Iterator[Registry]:
    made = Registry()
    yield made
    made.close()


@pytest.fixture
def rc(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The user's .npmrc, with nothing else that npm could be told."""
    file = tmp_path / "npmrc"
    file.write_text("")
    for variable in ("npm_config_registry", "NPM_CONFIG_REGISTRY"):
        monkeypatch.delenv(variable, raising=False)
    monkeypatch.setenv("npm_config_userconfig", str(file))
    return file


def packed(**files: bytes) -> bytes:
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w:gz") as tar:
        for name, content in files.items():
            info = tarfile.TarInfo(f"package/{name}")
            info.size = len(content)
            tar.addfile(info, io.BytesIO(content))
    return buffer.getvalue()


def sha256(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()


def obtained(source: Source, tmp_path: Path, said: Notes | None = None) -> Path:
    settings = FetchSettings(patience=IMPATIENT)
    (found,) = fetch.obtain([source], Vault(tmp_path / "vault"), settings, said or Notes())
    return found.path


TARBALL = packed(tool=b"a program", LICENSE=b"terms")
TOOL = NpmOrigin("@acme/tool", "1.2.0", sha256(TARBALL), len(TARBALL), "package/tool")


def test_a_member_of_a_scoped_package_is_found_in_the_scopes_own_registry(
    registry: Registry, rc: Path, tmp_path: Path
) -> None:
    rc.write_text(f"registry=http://127.0.0.1:9/\n@acme:registry={registry.place}\n")
    registry.publish(TOOL, TARBALL)
    source = Source("tool", (TOOL,), sha256=sha256(b"a program"))
    path = obtained(source, tmp_path)
    assert path.read_bytes() == b"a program"
    assert path.name == sha256(b"a program") and source.file == "tool"


def test_a_token_goes_to_its_registry_alone_and_into_no_message(
    registry: Registry, rc: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("KILN_TEST_TOKEN", "s3cret")
    place = registry.place.removeprefix("http:")
    rc.write_text(f"registry={registry.place}\n{place}:_authToken=${{KILN_TEST_TOKEN}}\n")
    said = Notes()
    source = Source("tool", (TOOL,), sha256=sha256(b"a program"))
    with server() as other:
        registry.publish(TOOL, b"another file", at=f"{other.url}/tool.tgz")
        with pytest.raises(SourceError) as caught:
            obtained(source, tmp_path, said)
    assert {login for _, _, login in registry.asked} == {"Bearer s3cret"}
    assert other.asked == [("GET", "/tool.tgz", None)]
    assert "s3cret" not in str(caught.value) + "".join(said.notes) + repr(npm.configuration({}))


def test_a_mirror_that_lists_the_upstreams_addresses_is_asked_itself_first(
    registry: Registry, rc: Path, tmp_path: Path
) -> None:
    rc.write_text(f"registry={registry.place}\n")
    registry.publish(TOOL, TARBALL, at="https://upstream.invalid/@acme/tool/-/tool-1.2.0.tgz")
    assert (
        obtained(Source("tool", (TOOL,), sha256=sha256(b"a program")), tmp_path).read_bytes() == b"a program"
    )


@pytest.mark.parametrize("host", ["registry.example", "elsewhere.example"])
def test_a_registry_on_tls_never_leads_away_from_it(host: str) -> None:
    listing = {"versions": {"1.2.0": {"dist": {"tarball": f"http://{host}/tool.tgz"}}}}
    found = npm.addresses(TOOL, "https://joe:secret@registry.example/", listing)
    assert found == ("https://registry.example/@acme/tool/-/tool-1.2.0.tgz",)


@pytest.mark.parametrize(
    ("listing", "reason"),
    [
        (None, "has no such package"),
        (b"{}", "has no such version"),
        (b"<html>", "is no registry"),
        (
            b'{"versions": {"1.2.0": {"dist": {"tarball": "file:///etc/passwd"}}}}',
            "not followed",
        ),
    ],
)
def test_a_registry_that_has_not_the_version_says_why(
    registry: Registry, rc: Path, tmp_path: Path, listing: bytes | None, reason: str
) -> None:
    rc.write_text(f"registry={registry.place}\n")
    if listing is not None:
        registry.answers["/npm/@acme%2Ftool"] = listing
    with pytest.raises(SourceError, match=reason):
        obtained(Source("tool", (TOOL,), sha256=sha256(b"a program")), tmp_path)


def test_the_settings_are_read_where_there_is_no_npm(tmp_path: Path) -> None:
    rc = tmp_path / "rc"
    rc.write_text(
        "; a comment\n registry = https://one.example/npm\n@acme:registry=https://two.example\ncafile=/ca.pem\n"
        "//two.example/:username=joe\n//two.example/:_password=cGFzcw==\n//one.example/npm/:_authToken=${TOKEN}\n"
        "https-proxy=http://proxy.example:1\nstrict-ssl=false\n"
    )
    found = npm.configuration({"npm_config_userconfig": str(rc), "PATH": "", "TOKEN": "t"})
    basic = "Basic " + base64.b64encode(b"joe:pass").decode()
    assert found.place(TOOL) == "https://two.example/"
    assert found.place(NpmOrigin("tool", "1", "a" * 64)) == "https://one.example/npm/"
    assert found.credentials == {"//two.example/": basic, "//one.example/npm/": "Bearer t"}
    assert (found.cafile, found.strict, found.proxies["https"]) == (
        "/ca.pem",
        False,
        "http://proxy.example:1",
    )


def test_a_variable_wins_over_the_file(tmp_path: Path) -> None:
    (tmp_path / "rc").write_text("registry=https://one.example/\n")
    found = npm.configuration(
        {
            "npm_config_userconfig": str(tmp_path / "rc"),
            "NPM_CONFIG_REGISTRY": "https://two.example/",
            "PATH": "",
        }
    )
    assert found.registry == "https://two.example/"


def test_without_any_registry_the_message_says_where_to_name_one() -> None:
    with pytest.raises(OriginError, match="npmrc"):
        npm.Npm().place(TOOL)


def test_a_member_of_a_wheel_is_one_file_with_its_own_hash(tmp_path: Path) -> None:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as wheel:
        wheel.writestr("pkg/data.bin", b"data")
    (tmp_path / "links").mkdir()
    (tmp_path / "links" / "pkg-1-py3-none-any.whl").write_bytes(buffer.getvalue())
    digest = sha256(buffer.getvalue())
    origin = UrlOrigin("https://gone.invalid/pkg-1-py3-none-any.whl", digest, member="pkg/data.bin")
    vault = Vault(tmp_path / "vault")
    source = Source("data", (origin,), sha256=sha256(b"data"))
    fetch.adopt(tmp_path / "links", [source], vault)
    (found,) = fetch.obtain([source], vault, FetchSettings(offline=True), Notes())
    assert found.path.read_bytes() == b"data" and found.source.file == "data.bin"
    vault.path(digest).unlink()
    (again,) = fetch.obtain([source], vault, FetchSettings(offline=True), Notes())
    assert again.path == found.path


@pytest.mark.parametrize(
    ("member", "digest", "reason"),
    [
        ("package/tool", "a" * 64, "is another file, with the sha256"),
        ("package/none", "a" * 64, "has no file"),
    ],
)
def test_a_member_that_is_another_or_absent_is_refused(
    tmp_path: Path, member: str, digest: str, reason: str
) -> None:
    vault = Vault(tmp_path / "vault")
    (tmp_path / "file").write_bytes(TARBALL)
    vault.add(tmp_path / "file", sha256(TARBALL))
    origin = PypiOrigin("tool", "tool-1.tar.gz", sha256(TARBALL), member=member)
    with pytest.raises(SourceError, match=reason):
        fetch.obtain([Source("tool", (origin,), sha256=digest)], vault, FetchSettings(offline=True), Notes())
    assert not vault.path(digest).exists()


def test_the_address_of_a_registry_is_never_part_of_an_origin() -> None:
    assert str(TOOL) == "npm: @acme/tool, 1.2.0" and not urlsplit(str(TOOL)).netloc
