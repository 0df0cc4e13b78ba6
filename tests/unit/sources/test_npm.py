from __future__ import annotations

import base64
import hashlib
import io
import json
import os
import shutil
import tarfile
import zipfile
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from urllib.parse import urlsplit

import pytest

from kiln.core.errors import SourceError
from kiln.recipe.source import NpmOrigin, PypiOrigin, Source, UrlOrigin
from kiln.sources import fetch, npm
from kiln.sources.errors import OriginError
from kiln.sources.settings import FetchSettings, Patience
from kiln.sources.vault import Vault
from tests.support.loopback import Notes, Server, server

IMPATIENT = Patience(pauses=())


with_npm = pytest.mark.skipif(shutil.which("npm") is None, reason="npm is not installed")


class Registry(Server):
    """A registry of npm packages, at `place`."""

    @property
    def place(self) -> str:
        return self.url + "/npm/"

    def publish(self, origin: NpmOrigin, content: bytes, at: str = "") -> None:
        """A version whose listing names `at`, by default this registry's usual address."""
        path = f"/npm/{origin.npm}/-/{origin.filename}"
        version = {
            "name": origin.npm,
            "version": origin.version,
            "dist": {"tarball": at or self.url + path},
        }
        listing = {"name": origin.npm, "versions": {origin.version: version}}
        self.answers[f"/npm/{origin.npm.replace('/', '%2f')}"] = json.dumps(listing).encode()
        self.answers[path] = content


@pytest.fixture
def registry() -> Iterator[Registry]:
    made = Registry()
    yield made
    made.close()


@dataclass
class Machine:
    """A machine with npm, or without, whose user has an .npmrc and nothing else."""

    folder: Path
    environment: dict[str, str]

    def configure(self, *lines: str) -> None:
        Path(self.environment["HOME"], ".npmrc").write_text("\n".join(lines))

    def obtain(self, source: Source, notes: Notes | None = None) -> Path:
        settings = FetchSettings(patience=IMPATIENT, environment=self.environment)
        (found,) = fetch.obtain([source], Vault(self.folder / "vault"), settings, notes or Notes())
        return found.path


def machine(folder: Path, npm: bool) -> Machine:
    (folder / "home").mkdir()
    path = os.environ["PATH"] if npm else ""
    return Machine(folder, {"HOME": str(folder / "home"), "PATH": path})


@pytest.fixture(params=[pytest.param(True, marks=with_npm, id="npm"), pytest.param(False, id="no npm")])
def user(request: pytest.FixtureRequest, tmp_path: Path) -> Machine:
    return machine(tmp_path, request.param)


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


TARBALL = packed(
    **{"package.json": b'{"name": "@acme/tool", "version": "1.2.0", "scripts": {"prepack": "exit 1"}}'},
    tool=b"a program",
    LICENSE=b"terms",
)
TOOL = NpmOrigin("@acme/tool", "1.2.0", sha256(TARBALL), len(TARBALL), "package/tool")


SOURCE = Source("tool", (TOOL,), sha256=sha256(b"a program"))


def test_a_member_of_a_scoped_package_is_found_in_the_scopes_own_registry(
    registry: Registry, user: Machine
) -> None:
    user.configure("registry=http://127.0.0.1:9/", f"@acme:registry={registry.place}")
    registry.publish(TOOL, TARBALL)
    path = user.obtain(SOURCE)
    assert path.read_bytes() == b"a program"
    assert path.name == sha256(b"a program") and SOURCE.file == "tool"


def test_another_file_under_the_name_is_not_used(registry: Registry, user: Machine) -> None:
    user.configure(f"registry={registry.place}")
    registry.publish(TOOL, packed(**{"package.json": b'{"name": "@acme/tool", "version": "1.2.0"}'}))
    with pytest.raises(SourceError, match="gives another file"):
        user.obtain(SOURCE)
    assert not list((user.folder / "vault").glob("sha256/*/*"))


def test_a_line_without_a_name_in_the_settings_is_passed_over(registry: Registry, user: Machine) -> None:
    user.configure("=x", "; a comment", f" registry = '{registry.place}'", "[section]", "no value")
    registry.publish(TOOL, TARBALL)
    assert user.obtain(SOURCE).read_bytes() == b"a program"


def test_a_mirror_that_lists_the_upstreams_addresses_is_asked_itself_first(
    registry: Registry, user: Machine
) -> None:
    user.configure(f"registry={registry.place}")
    registry.publish(TOOL, TARBALL, at="https://upstream.invalid/@acme/tool/-/tool-1.2.0.tgz")
    assert user.obtain(SOURCE).read_bytes() == b"a program"


@with_npm
def test_a_token_goes_to_its_registry_alone_and_into_no_message(registry: Registry, tmp_path: Path) -> None:
    user = machine(tmp_path, npm=True)
    user.environment.update(KILN_TEST_KEY="s3cret")
    place = registry.place.removeprefix("http:")
    user.configure(f"registry={registry.place}", f"{place}:_authToken=${{KILN_TEST_KEY}}")
    notes = Notes()
    with server() as other:
        registry.publish(TOOL, TARBALL, at=f"{other.url}/tool.tgz")
        del registry.answers[f"/npm/@acme/tool/-/{TOOL.filename}"]
        with pytest.raises(SourceError) as caught:
            user.obtain(SOURCE, notes)
        assert {login for _, _, login in registry.asked} == {"Bearer s3cret"}
        assert {login for _, _, login in other.asked} == {None}
    assert "s3cret" not in str(caught.value) + "".join(notes.notes)


@pytest.mark.parametrize("listed", ["http://registry.example/tool.tgz", "http://elsewhere.example/tool.tgz"])
def test_a_registry_on_tls_never_leads_away_from_it(listed: str) -> None:
    found = npm.addresses(TOOL, "https://registry.example/", listed)
    assert found == ("https://registry.example/@acme/tool/-/tool-1.2.0.tgz",)


@pytest.mark.parametrize("listed", ["file:///etc/passwd", "/etc/passwd", "", "undefined"])
def test_a_registry_never_leads_to_files_of_this_machine(listed: str) -> None:
    found = npm.addresses(TOOL, "http://registry.example/npm", listed)
    assert found == ("http://registry.example/npm/@acme/tool/-/tool-1.2.0.tgz",)


@with_npm
@pytest.mark.parametrize(("published", "reason"), [(None, "Not Found"), ("1.3.0", "No match found")])
def test_a_registry_that_does_not_have_the_version_says_why(
    registry: Registry, tmp_path: Path, published: str | None, reason: str
) -> None:
    user = machine(tmp_path, npm=True)
    user.configure(f"registry={registry.place}")
    if published:
        registry.publish(replace(TOOL, version=published), TARBALL)
    with pytest.raises(SourceError, match=rf"npm: @acme/tool, 1\.2\.0 npm says: {reason}"):
        user.obtain(SOURCE)


def test_a_login_in_the_registrys_url_is_used_and_not_shown(registry: Registry, tmp_path: Path) -> None:
    user = machine(tmp_path, npm=False)
    user.configure("registry=" + registry.place.replace("//", "//joe:s3cret@"))
    with pytest.raises(SourceError) as caught:
        user.obtain(SOURCE)
    assert registry.asked[0][2] == "Basic " + base64.b64encode(b"joe:s3cret").decode()
    assert "s3cret" not in str(caught.value)


def test_a_variable_wins_over_the_file_and_the_file_reads_variables(tmp_path: Path) -> None:
    user = machine(tmp_path, npm=False)
    user.configure("registry=https://one.example/${KIND}/")
    assert npm.urls(TOOL, {**user.environment, "KIND": "npm"}, IMPATIENT) == (
        "https://one.example/npm/@acme/tool/-/tool-1.2.0.tgz",
    )
    user.environment["NPM_CONFIG_REGISTRY"] = "https://two.example/"
    assert npm.urls(TOOL, user.environment, IMPATIENT) == ("https://two.example/@acme/tool/-/tool-1.2.0.tgz",)


def test_without_npm_and_any_registry_the_message_says_where_to_name_one(tmp_path: Path) -> None:
    with pytest.raises(OriginError, match="npmrc"):
        npm.urls(TOOL, machine(tmp_path, npm=False).environment, IMPATIENT)


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
