from __future__ import annotations

import hashlib
import io
import json
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest
import rich.console

from kiln.commands import fetch as fetch_command
from kiln.commands import sources
from kiln.core.console import Console
from kiln.core.errors import SourceError, UsageError
from kiln.recipe.source import (
    DebianOrigin,
    FileOrigin,
    GitOrigin,
    NpmOrigin,
    Origin,
    PypiOrigin,
    Source,
    UrlOrigin,
)
from kiln.sources import fetch, settings, status
from kiln.sources.settings import FetchSettings, Patience
from kiln.sources.vault import Vault
from tests.support.loopback import Notes, Server, server

CONTENT = b"the bytes"
SHA256 = hashlib.sha256(CONTENT).hexdigest()
ORIGIN = UrlOrigin("http://gone.invalid/a/file-1.tar.gz?raw=1", SHA256, len(CONTENT))
SOURCE = Source("file", (ORIGIN,))
IMPATIENT = Patience(pauses=())


@pytest.fixture
def web() -> Iterator[Server]:
    with server() as made:
        yield made


@pytest.fixture
def vault(tmp_path: Path) -> Vault:
    return Vault(tmp_path / "vault")


def asking(web: Server, **more: str) -> FetchSettings:
    found = FetchSettings.from_environment({"KILN_FALLBACKS": web.url + "/fallback/{host}/{path}", **more})
    return FetchSettings(**{**found.__dict__, "patience": IMPATIENT})


def shown(*standings: status.SourceStatus) -> str:
    output = io.StringIO()
    sources.show(standings, Console(rich.console.Console(width=200, file=output)))
    return output.getvalue()


def test_a_dead_url_is_followed_by_its_fallback_and_that_is_recorded(web: Server, vault: Vault) -> None:
    web.answers["/fallback/gone.invalid/a/file-1.tar.gz?raw=1"] = CONTENT
    (found,) = fetch.obtain([SOURCE], vault, asking(web), Notes())
    (standing,) = status.survey([SOURCE], vault, asking(web))
    assert standing.path == found.path
    assert standing.origin == f"{web.url}/fallback/gone.invalid/a/file-1.tar.gz?raw=1"
    assert (standing.size, standing.supply) == (len(CONTENT), ())


def test_what_was_fetched_is_listed_with_the_place_that_it_came_from(
    web: Server, vault: Vault, tmp_path: Path
) -> None:
    folder = tmp_path / "stick"
    folder.mkdir()
    (folder / "file").write_bytes(CONTENT)
    fetch.adopt(folder, [SOURCE], vault)
    output = io.StringIO()
    obtained = fetch.obtain([SOURCE], vault, asking(web), Notes())
    fetch_command.show(obtained, vault, Console(rich.console.Console(width=200, file=output)))
    assert str(folder / "file") in output.getvalue() and "gone.invalid" not in output.getvalue()


def test_mirrors_are_asked_before_every_origin_and_fallbacks_after_every_origin(
    web: Server, vault: Vault
) -> None:
    origins = tuple(UrlOrigin(f"{web.url}/own/{number}", SHA256) for number in (1, 2))
    asked = asking(web, KILN_MIRRORS=web.url + "/mirror/{path}")
    with pytest.raises(SourceError):
        fetch.obtain([Source("file", origins)], vault, asked, Notes())
    assert web.paths() == [
        "/mirror/own/1", "/mirror/own/2", "/own/1", "/own/2",
        "/fallback/127.0.0.1/own/1", "/fallback/127.0.0.1/own/2",
    ]  # fmt: skip


def test_a_place_that_two_origins_lead_to_is_asked_once(web: Server, vault: Vault) -> None:
    git = GitOrigin("https://gone.invalid/a/b", "c" * 40, "b-1/", "tar.gz", SHA256)
    asked = asking(web, KILN_MIRRORS=web.url + "/mirror/{sha256}", KILN_FALLBACKS="0", KILN_OFFLINE="0")
    web.answers[f"/mirror/{SHA256}"] = b"other"
    with pytest.raises(SourceError):
        fetch.obtain([Source("file", (ORIGIN, git))], vault, asked, Notes())
    assert web.paths() == [f"/mirror/{SHA256}"]


def test_by_default_tensorflows_mirror_and_the_wayback_machine_are_the_fallbacks() -> None:
    assert settings.fallbacks(ORIGIN, FetchSettings()) == [
        "https://storage.googleapis.com/mirror.tensorflow.org/gone.invalid/a/file-1.tar.gz?raw=1",
        "http://mirror.tensorflow.org/gone.invalid/a/file-1.tar.gz?raw=1",
        "https://web.archive.org/web/2020id_/http://gone.invalid/a/file-1.tar.gz?raw=1",
    ]


def test_there_is_no_mirror_of_a_mirror() -> None:
    mirrored = UrlOrigin("http://mirror.tensorflow.org/host/file", SHA256)
    places = settings.fallbacks(mirrored, FetchSettings())
    assert not any(place.startswith("http://mirror.tensorflow.org/mirror") for place in places)


@pytest.mark.parametrize("off", ["0", ""])
def test_fallbacks_can_be_switched_off(off: str) -> None:
    assert FetchSettings.from_environment({"KILN_FALLBACKS": off}).fallbacks == ()
    assert settings.fallbacks(ORIGIN, FetchSettings.from_environment({"KILN_FALLBACKS": off})) == []


def test_only_urls_have_fallbacks() -> None:
    git = GitOrigin("https://forge.example/a/b", "c" * 40, "b-1/", "tar.gz", SHA256)
    assert settings.fallbacks(git, FetchSettings()) == []


def test_git_mirrors_of_the_command_come_before_those_of_the_variable(vault: Vault) -> None:
    git = GitOrigin("https://forge.example/a/b", "c" * 40, "b-1/", "tar.gz", SHA256)
    given = "/first/{owner}/{repo}.git https://x.example/{repo}"
    asked = FetchSettings.from_environment({"KILN_GIT_MIRRORS": "/second/{repo}.git"}, git_mirrors=given)
    (places,) = fetch.supplies([Source("file", (git,))], vault, asked)
    assert [place.text.split(" ")[1] for place in places] == [
        "/first/a/b.git", "https://x.example/b", "/second/b.git", "https://forge.example/a/b",
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("origin", "asked"),
    [
        (ORIGIN, "gone.invalid"),
        (PypiOrigin("tool", "tool-1.tar.gz", SHA256), "pip"),
        (NpmOrigin("@acme/tool", "1.0", SHA256), "npm"),
        (GitOrigin("https://forge.example/a/b", "c" * 40, "b-1/", "tar.gz", SHA256), "git forge.example"),
        (DebianOrigin("pool/main/t/tool_1.deb", SHA256), "Debian"),
        (FileOrigin("/srv/tool", SHA256, SHA256), "/srv/tool"),
    ],
)
def test_every_kind_of_origin_says_in_a_word_who_is_asked_for_it(
    vault: Vault, origin: Origin, asked: str
) -> None:
    (found,) = status.survey([Source("tool", (origin,))], vault, FetchSettings(fallbacks=()))
    assert {each.asked for each in found.supply} == {asked}
    assert f"missing; ask {asked}" in shown(found)


def test_a_file_of_this_machine_is_in_no_mirror(vault: Vault) -> None:
    given = SOURCE.given("/srv/tool", SHA256)
    mirrored = FetchSettings(mirrors=("/mirror/{filename}",), fallbacks=("/fallback/{filename}",))
    (places,) = fetch.supplies([given], vault, mirrored)
    assert [each.text for each in places] == ["file: /srv/tool"]


def test_a_git_mirror_that_is_no_template_names_the_option() -> None:
    with pytest.raises(UsageError, match="--git-mirror has 'ext::sh'"):
        FetchSettings.from_environment({}, git_mirrors="ext::sh")


def test_a_local_git_mirror_named_by_a_template_gives_the_archive(tmp_path: Path, vault: Vault) -> None:
    work, bare = tmp_path / "work", tmp_path / "mirrors" / "a" / "b.git"
    work.mkdir()
    (work / "file").write_text("content\n")
    git = ["git", "-c", "user.name=a", "-c", "user.email=a@example", "-C", str(work)]
    for command in (["init", "-q"], ["add", "."], ["commit", "-q", "-m", "x"]):
        subprocess.run([*git, *command], check=True)
    subprocess.run(["git", "clone", "-q", "--bare", str(work), str(bare)], check=True)
    head = subprocess.run([*git, "rev-parse", "HEAD"], check=True, capture_output=True, text=True)
    commit = head.stdout.strip()
    settings = ["-c", "tar.tar.gz.command=gzip -cn"]
    command = [*git, *settings, "archive", "--format=tar.gz", "--prefix=b-1/", commit]
    archive = subprocess.run(command, check=True, capture_output=True).stdout
    sha256 = hashlib.sha256(archive).hexdigest()
    origin = GitOrigin("https://gone.invalid/a/b", commit, "b-1/", "tar.gz", sha256)
    mirror = f"{tmp_path}/mirrors/{{owner}}/{{repo}}.git"
    asked = FetchSettings.from_environment({}, offline=True, git_mirrors=mirror)
    (found,) = fetch.obtain([Source("b", (origin,))], vault, asked, Notes())
    assert found.path.read_bytes() == archive
    assert vault.origin_of(origin.sha256) == f"git: {bare} at {commit[:12]}"


def test_what_is_missing_is_shown_with_all_that_could_supply_it(web: Server, vault: Vault) -> None:
    git = GitOrigin("https://forge.example/a/b", "c" * 40, "b-1/", "tar.gz", SHA256)
    (standing,) = status.survey([Source("file", (ORIGIN, git))], vault, asking(web))
    assert standing.path is None
    text = shown(standing)
    assert "missing; ask gone.invalid, git forge.example, 127.0.0.1" in text
    assert "0 of 1 in the vault" in text
    assert web.asked == []


def test_origins_that_are_asked_show_the_dead_and_where_the_file_is_instead(
    web: Server, vault: Vault
) -> None:
    web.answers["/fallback/127.0.0.1/dead"] = CONTENT
    web.answers["/alive"] = web.answers["/grown"] = CONTENT
    web.redirects["/moved"] = "/alive"
    wanted = [
        Source(name, (UrlOrigin(f"{web.url}/{name}", SHA256, 9 if name != "grown" else 8),))
        for name in ("alive", "moved", "grown", "dead", "loop")
    ]
    web.redirects["/loop"] = "/loop"
    standings = status.survey(wanted, vault, asking(web), ask=True)
    reasons = {each.source.name: [answer.reason for answer in each.dead] for each in standings}
    assert reasons == {
        "alive": [],
        "moved": [],
        "grown": ["has another file, of 9 bytes and not 8"],
        "dead": ["answers 404 Not Found"],
        "loop": ["redirects more than 8 times"],
    }
    text = shown(*standings)
    assert "3 dead URLs" in text and f"but it is at {web.url}/fallback/127.0.0.1/dead" in text
    assert not list(vault.root.glob("sha256/*/*"))


def test_a_server_that_does_not_answer_to_head_is_not_dead(web: Server, vault: Vault) -> None:
    web.heads = False
    web.answers["/file"] = CONTENT
    (standing,) = status.survey(
        [Source("file", (UrlOrigin(f"{web.url}/file", SHA256),))], vault, asking(web), ask=True
    )
    assert standing.dead == () and standing.answers == (status.Answer(f"{web.url}/file"),)


def test_a_file_taken_from_a_folder_is_recorded_as_that(tmp_path: Path, vault: Vault) -> None:
    (tmp_path / "usb").mkdir()
    (tmp_path / "usb" / "some name").write_bytes(CONTENT)
    fetch.adopt(tmp_path / "usb", [SOURCE], vault)
    (standing,) = status.survey([SOURCE], vault, FetchSettings())
    assert standing.origin == str(tmp_path / "usb" / "some name")


def test_the_json_form_says_the_same(web: Server, vault: Vault) -> None:
    (value,) = json.loads(sources.to_json(status.survey([SOURCE], vault, asking(web))))
    assert (value["state"], value["name"], value["digest"]) == ("missing", "file", SHA256)
    assert value["supply"] == [ORIGIN.url, f"{web.url}/fallback/gone.invalid/a/file-1.tar.gz?raw=1"]
    assert (value["size"], value["from"], value["answers"]) == (9, None, [])


def packages_of(web: Server, vault: Vault) -> list[sources.ImageStatus]:
    """Two images that share a package which is there; the second has one that is missing."""
    shared, own = (
        Source(name, (DebianOrigin(f"pool/main/t/{name}_1_amd64.deb", digest, 2_000_000),))
        for name, digest in (("shared", SHA256), ("own", "e" * 64))
    )
    vault.partial(SHA256).write_bytes(CONTENT)
    vault.finish(SHA256)
    there, missing = status.survey([shared, own], vault, asking(web, PATH="", KILN_DEBIAN_MIRROR=web.url))
    return [sources.ImageStatus("runtime", (there,)), sources.ImageStatus("opencv", (there, missing))]


def test_an_image_is_a_line_with_what_is_missing_of_it(web: Server, vault: Vault) -> None:
    output = io.StringIO()
    sources.show((), Console(rich.console.Console(width=200, file=output)), packages_of(web, vault))
    rows = [line.split() for line in output.getvalue().splitlines()]
    assert ["✓", "runtime", "1", "0.0", "all"] in rows
    assert ["✗", "opencv", "2", "2.0", "1", "missing", "(2.0", "MB);", "ask", "Debian"] in rows
    assert not any("shared" in row for row in rows), "packages have rows only where they are asked for"


def test_packages_that_are_asked_for_have_a_row_each_once(web: Server, vault: Vault) -> None:
    output = io.StringIO()
    console = Console(rich.console.Console(width=200, file=output))
    sources.show((), console, packages_of(web, vault), packages=True)
    rows = [line.split() for line in output.getvalue().splitlines()]
    assert [row[1] for row in rows if len(row) > 1 and row[1] in ("shared", "own")] == ["shared", "own"]
    assert ["✗", "own", "2.0", "missing;", "ask", "Debian"] in rows
