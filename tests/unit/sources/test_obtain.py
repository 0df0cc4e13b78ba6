from __future__ import annotations

import hashlib
import os
import re
import resource
import subprocess
import sys
import threading
from pathlib import Path

import pytest

from kiln.archive import tree_digest
from kiln.core.errors import SourceError, UsageError
from kiln.recipe import Catalogue
from kiln.recipe.source import GitOrigin, Origin, PypiOrigin, Source, UrlOrigin
from kiln.sources import fetch, trees
from kiln.sources.obtained import Obtained
from kiln.sources.settings import FetchSettings, Patience
from kiln.sources.vault import Vault
from tests.support import archives, repository, web
from tests.support.archives import File, pack
from tests.support.gits import Repository
from tests.support.repository import ROOT
from tests.support.web import Listener, Site

DATA = bytes(range(256)) * 1000
SHA256 = hashlib.sha256(DATA).hexdigest()
WRONG = b"?" * len(DATA)
QUICK = Patience(connect=5, stall=5, pauses=(0,))
TREE = {"README": File(b"read me\n"), "bin/run": File(b"#!/bin/sh\n", executable=True)}


class Machine:
    """One machine with its vault, and what it was told."""

    def __init__(self, folder: Path, listener: Listener) -> None:
        self.vault = Vault(folder / "vault")
        self.listener = listener

    def obtain(self, *wanted: Source, **settings: object) -> tuple[Obtained, ...]:
        given = {"patience": QUICK, "fallbacks": (), "environment": os.environ, **settings}
        fitting = FetchSettings(**given)  # type: ignore[arg-type]
        return fetch.obtain(wanted, self.vault, fitting, self.listener)

    def refusal(self, *wanted: Source, **settings: object) -> str:
        with pytest.raises(SourceError) as caught:
            self.obtain(*wanted, **settings)
        assert caught.value.exit_code == 3
        return str(caught.value)

    @property
    def notes(self) -> list[str]:
        return self.listener.notes

    @property
    def kept(self) -> list[bytes]:
        """All content that the vault keeps under a hash."""
        return [file.read_bytes() for file in (self.vault.root / "sha256").rglob("*") if file.is_file()]


@pytest.fixture
def at(tmp_path: Path, listener: Listener) -> Machine:
    return Machine(tmp_path, listener)


def url(address: str, data: bytes = DATA, sized: bool = True, member: str | None = None) -> UrlOrigin:
    return UrlOrigin(address, hashlib.sha256(data).hexdigest(), len(data) if sized else None, member)


def source(*origins: Origin, name: str = "toy", tree: str | None = None) -> Source:
    return Source(name, origins, tree)


def test_a_file_is_obtained_once_and_then_found_in_the_vault(at: Machine, site: Site) -> None:
    wanted = source(url(site.put("/toy.tar.gz", web.content(DATA))))
    (first,) = at.obtain(wanted)
    (again,) = at.obtain(wanted, offline=True)
    assert first == again
    assert (first.path.read_bytes(), first.origin) == (DATA, f"{site.address}/toy.tar.gz")
    assert len(site.asked) == 1
    assert at.notes == []


@pytest.mark.parametrize(
    ("answer", "reason"),
    [
        (web.status(404), "answers 404 Not Found"),
        (web.status(500), "answers 500 Internal Server Error"),
        (web.content(b"<html>", kind="text/html"), "gives another file (a web page: a login, an error?)"),
        (web.content(WRONG), "gives another file, with the sha256 "),
        (web.content(b"an older release"), "gives another file, of 16 bytes and not 256000"),
        (web.cut(DATA, 1000), "breaks off in the middle"),
        (web.endless(b"x" * 4096), "gives another file, of more than 256000 bytes"),
        (web.redirect("/toy.tar.gz"), "redirects more than 8 times"),
        (web.redirect("file:///etc/passwd"), "redirects to file:, which is not followed"),
        (web.raw(b""), "cannot be reached"),
    ],
)  # fmt: skip
def test_an_origin_that_fails_is_told_in_one_line_and_the_next_is_tried(
    at: Machine, site: Site, answer: web.Answer, reason: str
) -> None:
    bad = site.put("/toy.tar.gz", answer)
    good = site.put("/good", web.content(DATA))
    (obtained,) = at.obtain(source(url(bad), url(good)))
    assert obtained.path.read_bytes() == DATA
    assert obtained.origin == good
    (note,) = at.notes
    assert note.startswith(f"toy: {bad} {reason}")
    assert at.kept == [DATA]


def test_a_host_that_cannot_be_reached_is_patiently_asked_for_one_file_alone(at: Machine, site: Site) -> None:
    with web.closed_port() as down:
        wanted = [
            source(url(f"{down}/{name}", data), url(site.put(f"/{name}", web.content(data)), data), name=name)
            for name, data in (("a", DATA), ("b", WRONG), ("c", DATA[1:]))
        ]
        obtained = at.obtain(*wanted, parallel=1)
    assert [each.path.read_bytes() for each in obtained] == [DATA, WRONG, DATA[1:]]
    assert at.notes == [f"{down[len('http://') :]} cannot be reached: 3 files are taken from elsewhere"]
    assert [each.failures for each in obtained] == [
        ((f"{down}/a", "cannot be reached"),),
        ((f"{down}/b", "was not asked: its host could not be reached"),),
        ((f"{down}/c", "was not asked: its host could not be reached"),),
    ]


def test_a_host_that_is_redirected_to_and_cannot_be_reached_is_the_one_that_is_named(
    at: Machine, site: Site
) -> None:
    with web.closed_port() as down:
        moved = [url(site.put(f"/{name}", web.redirect(f"{down}/{name}")), name.encode()) for name in "ab"]
        there = url(site.put("/there", web.content(b"a")), b"a")
        told = at.refusal(source(moved[0], there, name="a"), source(moved[1], name="b"), parallel=1)
    host = down[len("http://") :]
    assert at.notes == [f"{host} cannot be reached: 1 file is taken from elsewhere, 1 file is not available"]
    assert f"    {moved[1].url} was not asked: its host could not be reached" in told.splitlines()
    assert site.times("/there") == 1


def test_repositories_of_a_host_that_git_cannot_reach_are_one_line(at: Machine) -> None:
    with web.closed_port() as down:
        wanted = [
            source(GitOrigin(f"{down}/owner/{name}", "0" * 40, f"{name}/", "tar.gz", digit * 64), name=name)
            for name, digit in (("a", "1"), ("b", "2"))
        ]
        at.refusal(*wanted)
    assert at.notes == ["127.0.0.1 cannot be reached by git: 2 files are not available"]


def test_a_file_that_its_origins_call_differently_is_listed_once(at: Machine) -> None:
    git = GitOrigin("https://forge.example/owner/toy", "0" * 40, "toy-1.0/", "tar.gz", SHA256)
    told = at.refusal(source(url("https://forge.example/v1.0.tar.gz"), git), offline=True)
    assert [line for line in told.splitlines() if SHA256 in line] == [
        f"  toy: v1.0.tar.gz, sha256 {SHA256}, {len(DATA)} bytes"
    ]


def test_an_origin_that_is_down_or_stalls_is_passed_over(at: Machine, site: Site) -> None:
    stalled = site.put("/stalled", web.stalled(DATA, 1000))
    good = site.put("/good", web.content(DATA))
    with web.closed_port() as down:
        wanted = source(url(f"{down}/x"), url(stalled), url(good))
        (obtained,) = at.obtain(wanted, patience=Patience(connect=5, stall=0.05, pauses=()))
    assert obtained.path.read_bytes() == DATA
    assert at.notes == [
        f"toy: {stalled} does not answer in time",
        f"{down[len('http://') :]} cannot be reached: 1 file is taken from elsewhere",
    ]
    assert site.asked[-1] == ("/good", "bytes=1000-")


def test_wrong_bytes_at_every_origin_in_turn_are_never_used_nor_kept(at: Machine, site: Site) -> None:
    places = [site.put(f"/{number}", web.content(WRONG)) for number in range(3)]
    mirror = site.put(f"/mirror/{SHA256}", web.content(WRONG[::-1]))
    told = at.refusal(source(*map(url, places)), mirrors=(f"{site.address}/mirror/{{sha256}}",))
    assert len(at.notes) == 4  # the mirror's address is the same for all, and asked once
    assert mirror in told
    assert at.kept == []
    assert at.vault.partial(SHA256).read_bytes() == b""


def test_a_half_from_a_wrong_origin_does_not_spoil_the_right_one(at: Machine, site: Site) -> None:
    bad, good = site.put("/bad", web.cut(WRONG, 1000)), site.put("/good", web.content(DATA))
    (obtained,) = at.obtain(source(url(bad), url(good)))
    assert obtained.path.read_bytes() == DATA


def test_what_cannot_be_had_is_listed_with_hash_reasons_and_ways_to_supply_it(
    at: Machine, site: Site
) -> None:
    there = source(url(site.put("/there", web.content(DATA))), name="there")
    one = source(url(f"{site.address}/one.tgz", b"one"), name="one")
    two = source(url(f"{site.address}/two.zip", b"two", sized=False), name="two")
    lines = at.refusal(there, one, two).splitlines()
    assert lines[0] == "2 of 3 sources are not available: supply them in one of the ways at the end"
    assert lines[1:6] == [
        f"  one: one.tgz, sha256 {hashlib.sha256(b'one').hexdigest()}, 3 bytes",
        f"    {site.address}/one.tgz answers 404 Not Found",
        f"  two: two.zip, sha256 {hashlib.sha256(b'two').hexdigest()}",
        f"    {site.address}/two.zip answers 404 Not Found",
        "ways to supply them:",
    ]
    ways = (
        "./inv fetch RECIPE --folder FOLDER",
        "KILN_MIRRORS",
        "KILN_GIT_MIRRORS",
        "--substitute NAME=FILE",
    )
    assert [way for way in ways if not any(way in line for line in lines[6:])] == []
    assert at.kept == [DATA]


def test_a_host_that_is_down_is_one_line_of_the_error_whatever_it_was_asked_for(
    at: Machine, site: Site
) -> None:
    own = source(url(f"{site.address}/one.tgz", b"one"), name="one")
    with web.closed_port() as closed:
        many = [source(url(f"{closed}/{number}", b"%d" % number), name=f"f{number}") for number in range(40)]
        lines = at.refusal(*many, own).splitlines()
    assert lines[1].startswith("  one: one.tgz") and "404" in lines[2], (
        "what has a reason of its own comes first"
    )
    assert [line for line in lines if closed in line] == []
    hosts = [line for line in lines if "cannot be reached" in line]
    assert hosts == [f"  {closed.removeprefix('http://')} cannot be reached: it was asked for 40 of these"]
    assert "  and 16 more: `./inv sources RECIPE --packages` lists all" in lines
    assert len(lines) < 40 and len(at.notes) == 2


def test_the_command_that_the_error_names_is_one_that_there_is(at: Machine) -> None:
    told = at.refusal(source(url("https://forge.example/x")), offline=True)
    found = re.search(r"`\./inv (\w+) RECIPE (--\w+) FOLDER`", told)
    assert found
    done = subprocess.run(
        [sys.executable, "tasks.py", found[1], "--help"], cwd=ROOT, capture_output=True, text=True, check=True
    )
    assert f"{found[2]}=STRING" in done.stdout


def test_offline_no_server_is_asked(at: Machine, site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PIP_INDEX_URL", f"{site.address}/simple")
    monkeypatch.setenv("PIP_FIND_LINKS", f"{site.address}/links")
    wanted = source(
        url(f"{site.address}/x"),
        PypiOrigin("toy", "toy-1.0.tar.gz", SHA256),
        GitOrigin(f"{site.address}/owner/toy", "0" * 40, "toy/", "tar.gz", SHA256),
    )
    templates = {"mirrors": (f"{site.address}/{{sha256}}",), "git_mirrors": (f"{site.address}/{{repo}}",)}
    told = at.refusal(wanted, offline=True, **templates)
    assert site.asked == []
    assert told.count("was not asked: offline") == 6
    assert at.notes == []


def test_offline_local_mirrors_serve(at: Machine, tmp_path: Path) -> None:
    (tmp_path / "mirror" / "forge.example" / "a").mkdir(parents=True)
    (tmp_path / "mirror" / "forge.example" / "a" / "x.tgz").write_bytes(DATA)
    wanted = source(url("https://forge.example/a/x.tgz"))
    (obtained,) = at.obtain(wanted, offline=True, mirrors=(f"{tmp_path}/mirror/{{host}}/{{path}}",))
    assert obtained.path.read_bytes() == DATA


@pytest.mark.parametrize(
    ("template", "path"),
    [
        ("{site}/by-hash/{sha256}", f"/by-hash/{SHA256}"),
        ("{site}/{host}/{path}", "/forge.example/a/b.tgz?c=d"),
        ("{site}/flat/{filename}", "/flat/b.tgz"),
    ],
)
def test_a_mirror_is_asked_before_the_origin_itself(
    at: Machine, site: Site, template: str, path: str
) -> None:
    site.put(path, web.content(DATA))
    mirror = template.replace("{site}", site.address)
    (obtained,) = at.obtain(source(url("https://forge.example/a/b.tgz?c=d")), mirrors=(mirror,))
    assert obtained.path.read_bytes() == DATA
    assert site.asked == [(path, "")]


def test_a_mirrors_login_is_used_and_never_shown(at: Machine, site: Site) -> None:
    path = f"/{SHA256}"
    site.put(path, web.status(403), web.content(DATA))
    mirror = site.address.replace("://", "://me:secret@") + "/{sha256}"
    told = at.refusal(
        source(url("https://forge.example:1/x")), mirrors=(mirror,), patience=Patience(0.01, 1, 1, ())
    )
    at.obtain(source(url("https://forge.example/x")), mirrors=(mirror,))
    assert [headers["Authorization"] for headers in site.headers] == ["Basic bWU6c2VjcmV0"] * 2
    assert "secret" not in told + "".join(at.notes)


def test_a_local_mirror_that_has_another_file_or_none_is_passed_over(
    at: Machine, site: Site, tmp_path: Path
) -> None:
    (tmp_path / "x").write_bytes(b"another")
    wanted = source(url(site.put("/x", web.content(DATA))))
    templates = (f"{tmp_path}/{{filename}}", f"{tmp_path}/none", f"{tmp_path}/{'x' * 300}", str(tmp_path))
    (obtained,) = at.obtain(wanted, mirrors=templates)
    assert obtained.path.read_bytes() == DATA
    assert [note.rsplit(" is ", 1)[1] for note in at.notes] == [
        "another file",
        *["not a file that can be read"] * 3,
    ]


def test_a_damaged_file_of_the_vault_is_told_and_replaced(at: Machine, site: Site) -> None:
    wanted = source(url(site.put("/x", web.content(DATA))))
    (first,) = at.obtain(wanted)
    first.path.chmod(0o644)
    first.path.write_bytes(WRONG)
    (again,) = at.obtain(wanted)
    assert again.path.read_bytes() == DATA
    assert at.notes == [f"toy: {first.path} is damaged and is not used"]


def test_a_damaged_file_that_cannot_be_had_again_is_not_kept(at: Machine, site: Site) -> None:
    wanted = source(url(site.put("/x", web.content(DATA))))
    (first,) = at.obtain(wanted)
    first.path.chmod(0o644)
    first.path.write_bytes(WRONG)
    at.refusal(wanted, offline=True)
    assert at.kept == []


def test_a_vault_that_cannot_be_used_is_told(at: Machine, tmp_path: Path) -> None:
    (tmp_path / "vault").write_bytes(b"")
    told = at.refusal(source(url("https://forge.example/x")))
    assert f"the vault {tmp_path}/vault cannot be used" in told
    assert "KILN_HOME" in told


def test_a_full_disk_is_told_and_what_came_is_kept(at: Machine, site: Site) -> None:
    wanted = site.put("/x", web.content(DATA))
    limit = 100_000  # the largest file that the process may write, instead of a full disk
    done = subprocess.run(
        [sys.executable, "-m", "tests.support.obtain", at.vault.root, wanted, SHA256, str(len(DATA))],
        cwd=ROOT, capture_output=True, text=True, check=True,
        preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (limit, limit)),
    )  # fmt: skip
    assert "failed the vault" in done.stdout
    assert done.stderr == ""
    at.obtain(source(url(wanted)))
    assert site.asked[-1] == ("/x", f"bytes={limit}-")


def test_several_files_come_at_a_time_but_few_from_one_host(at: Machine, site: Site) -> None:
    together = threading.Barrier(2, timeout=10)
    lock, busy, most = threading.Lock(), 0, 0

    def answer(request: web.Request) -> None:
        nonlocal busy, most
        with lock:
            busy += 1
            most = max(most, busy)
        together.wait()
        with lock:
            busy -= 1
        web.content(request.path.encode())(request)

    wanted = [
        source(url(site.put(f"/{number}", answer), f"/{number}".encode()), name=f"n{number}")
        for number in range(6)
    ]
    found = at.obtain(*wanted, parallel=6, per_host=2)
    assert [each.path.read_bytes() for each in found] == [f"/{number}".encode() for number in range(6)]
    assert most == 2


def test_two_sources_of_one_file_are_one_download(at: Machine, site: Site) -> None:
    wanted = url(site.put("/x", web.content(DATA)))
    at.obtain(*(source(wanted, name=f"n{number}") for number in range(4)))
    assert len(site.asked) == 1


def start(at: Machine, address: str) -> subprocess.Popen[str]:
    command = [
        sys.executable,
        "-m",
        "tests.support.obtain",
        str(at.vault.root),
        address,
        SHA256,
        str(len(DATA)),
    ]
    return subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, text=True)


def said(process: subprocess.Popen[str], words: str) -> None:
    """Read what a process says up to a line that begins with these words."""
    assert process.stdout is not None
    for line in process.stdout:
        if line.startswith(words):
            return
    raise AssertionError(f"it never said {words!r}")


def test_of_two_processes_that_want_one_file_one_downloads(at: Machine, site: Site) -> None:
    asked, go_on = threading.Event(), threading.Event()

    def answer(request: web.Request) -> None:
        asked.set()
        go_on.wait(30)
        web.content(DATA)(request)

    address = site.put("/x", answer)
    first = start(at, address)
    assert asked.wait(30)
    second = start(at, address)
    said(second, "note file: another process fetches it already")
    go_on.set()
    for process in (first, second):
        said(process, f"obtained {SHA256}")
        process.communicate()
    assert site.times("/x") == 1


def test_what_a_killed_process_had_fetched_is_completed_by_the_next(at: Machine, site: Site) -> None:
    half = len(DATA) // 2
    address = site.put("/x", web.stalled(DATA, half), web.content(DATA))
    process = start(at, address)
    said(process, f"has {half}")
    process.kill()
    process.communicate()
    assert at.kept == []
    (obtained,) = at.obtain(source(url(address)))
    assert obtained.path.read_bytes() == DATA
    assert site.asked == [("/x", ""), ("/x", f"bytes={half}-")]
    assert at.notes == []


def test_many_processes_share_one_vault(at: Machine, site: Site) -> None:
    address = site.put("/x", web.content(DATA))
    processes = [start(at, address) for _ in range(3)]
    for process in processes:
        said(process, f"obtained {SHA256}")
        process.communicate()
    assert site.times("/x") == 1
    assert at.kept == [DATA]


# Trees


def test_the_same_tree_is_taken_from_archives_of_other_form(at: Machine, site: Site, tmp_path: Path) -> None:
    tree = tree_digest(archives.write(TREE, tmp_path / "tree"))
    first, second = pack(TREE, "tar.gz", prefix="toy-1/"), pack(TREE, "zip", prefix="other/toy/")
    origins = (
        url(f"{site.address}/gone", first, member="toy-1"),
        url(site.put("/zip", web.content(second)), second, member="other/toy"),
    )
    (obtained,) = at.obtain(source(*origins, tree=tree))
    assert obtained.origin_value == origins[1]
    trees.unpack_tree(obtained, tmp_path / "unpacked", 1_000_000_000)
    assert tree_digest(tmp_path / "unpacked") == tree
    assert list((at.vault.root / "work").iterdir()) == []


def test_an_archive_of_another_tree_is_told_once_and_the_next_is_tried(
    at: Machine, site: Site, tmp_path: Path
) -> None:
    tree = tree_digest(archives.write(TREE, tmp_path / "tree"))
    other, right = pack({"README": File(b"other")}, "tar"), pack(TREE, "tar")
    bad = url(site.put("/bad", web.content(other)), other)
    wanted = source(bad, url(site.put("/good", web.content(right)), right), tree=tree)
    for _ in range(2):
        at.notes.clear()
        (obtained,) = at.obtain(wanted)
        assert obtained.origin == f"{site.address}/good"
        assert len(at.notes) == 1
        assert re.match(rf"toy: {bad} gives the tree [0-9a-f]{{64}}, not {tree}$", at.notes[0])


def test_a_hostile_archive_is_passed_over(at: Machine, site: Site, tmp_path: Path) -> None:
    tree = tree_digest(archives.write(TREE, tmp_path / "tree"))
    evil, right = pack({**TREE, "../evil": File(b"x")}, "tar.gz"), pack(TREE, "tar.gz")
    bad, good = site.put("/bad", web.content(evil)), site.put("/good", web.content(right))
    (obtained,) = at.obtain(source(url(bad, evil), url(good, right), tree=tree))
    assert obtained.origin == good
    assert "'../evil' is not a path inside a tree" in at.notes[0]
    assert list(tmp_path.rglob("evil")) == []


@pytest.mark.parametrize("record", ["", "0" * 64], ids=["empty", "another"])
def test_a_damaged_record_of_a_tree_is_made_again(
    at: Machine, site: Site, tmp_path: Path, record: str
) -> None:
    tree = tree_digest(archives.write(TREE, tmp_path / "tree"))
    data = pack(TREE, "tar")
    wanted = source(url(site.put("/x", web.content(data)), data), tree=tree)
    at.obtain(wanted)
    at.vault.record_tree(hashlib.sha256(data).hexdigest(), None, record)
    at.obtain(wanted, offline=True)
    assert at.notes == []


def test_a_tree_that_changed_since_it_was_obtained_is_not_used(
    at: Machine, site: Site, tmp_path: Path
) -> None:
    tree = tree_digest(archives.write(TREE, tmp_path / "tree"))
    data, other = pack(TREE, "tar"), pack({"README": File(b"other")}, "tar")
    (obtained,) = at.obtain(source(url(site.put("/x", web.content(data)), data), tree=tree))
    obtained.path.chmod(0o644)
    obtained.path.write_bytes(other)
    with pytest.raises(SourceError, match=f"is the tree [0-9a-f]*, not {tree}"):
        trees.unpack_tree(obtained, tmp_path / "unpacked", 0)


# Git and pip


def test_a_git_mirror_stands_in_for_a_forge_that_is_gone(at: Machine, tmp_path: Path) -> None:
    repository = Repository(tmp_path / "forge", {"README": "x\n"})
    mirror = repository.bare(tmp_path / "mirrors")
    data = repository.forge_archive()
    origin = repository.origin(data)
    template = f"{tmp_path}/mirrors/{{owner}}/{{repo}}.git"
    (obtained,) = at.obtain(source(origin), git_mirrors=(template,), offline=True)
    assert obtained.path.read_bytes() == data
    assert obtained.origin == str(origin)
    assert mirror.is_dir()


def test_a_git_mirror_that_lacks_the_commit_or_objects_is_passed_over(at: Machine, tmp_path: Path) -> None:
    repository = Repository(tmp_path / "forge", {"README": "x\n"})
    origin = repository.origin(repository.forge_archive())
    Repository(tmp_path / "other", {"README": "y\n"}).bare(tmp_path / "other-mirrors")
    repository.bare(tmp_path / "mirrors")
    templates = (f"{tmp_path}/other-mirrors/{{owner}}/{{repo}}.git", f"{tmp_path}/none/{{repo}}",
        f"{tmp_path}/mirrors/{{owner}}/{{repo}}.git")  # fmt: skip
    (obtained,) = at.obtain(source(origin), git_mirrors=templates)
    assert hashlib.sha256(obtained.path.read_bytes()).hexdigest() == origin.sha256
    assert len(at.notes) == 2
    assert list((at.vault.root / "work").iterdir()) == []


def places(monkeypatch: pytest.MonkeyPatch, site: Site, *links: Path) -> None:
    monkeypatch.setenv("PIP_INDEX_URL", f"{site.address}/simple")
    monkeypatch.setenv("PIP_FIND_LINKS", " ".join(map(str, links)))


PACKAGE = PypiOrigin("toy", "toy-1.0.tar.gz", SHA256, len(DATA))
LISTING = web.content(b'<a href="/files/toy-1.0.tar.gz">toy-1.0.tar.gz</a>', kind="text/html")


def test_a_place_that_merely_does_not_have_a_package_is_not_told(
    at: Machine, site: Site, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    places(monkeypatch, site, tmp_path, tmp_path / "nowhere")
    site.put("/simple/toy/", LISTING)
    site.put("/files/toy-1.0.tar.gz", web.content(DATA))
    (obtained,) = at.obtain(source(PACKAGE))
    assert obtained.path.read_bytes() == DATA
    assert at.notes == []


def test_a_package_that_is_in_no_place_is_told_once_and_every_place_is_in_the_error(
    at: Machine, site: Site, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    places(monkeypatch, site, tmp_path, tmp_path / "nowhere")
    told = at.refusal(source(PACKAGE))
    assert at.notes == [f"toy: {PACKAGE} is not in 3 of the places where pip looks"]
    for line in (
        f"{PACKAGE}, in {tmp_path}, has no such file", f"{PACKAGE}, in {tmp_path}/nowhere, is not there",
        f"{PACKAGE}, in {site.address}/simple, has no such project",
    ):  # fmt: skip
        assert f"    {line}" in told.splitlines()


def test_a_place_that_fails_is_told(
    at: Machine, site: Site, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    places(monkeypatch, site, tmp_path)
    (tmp_path / "toy-1.0.tar.gz").write_bytes(WRONG)
    site.put("/simple/toy/", web.status(403))
    mirror = site.put("/good", web.content(DATA))
    (obtained,) = at.obtain(source(PACKAGE, url(mirror)))
    assert obtained.origin == mirror
    assert at.notes == [
        f"toy: {PACKAGE}, in {tmp_path}, is another file",
        f"toy: {PACKAGE}, in {site.address}/simple, answers 403 Forbidden",
    ]


def test_offline_a_package_comes_from_a_folder_of_pips(
    at: Machine, site: Site, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    places(monkeypatch, site, tmp_path)
    (tmp_path / "toy-1.0.tar.gz").write_bytes(DATA)
    at.obtain(source(PACKAGE), offline=True)
    assert site.asked == []


# Files that a person supplies


def supplied(tmp_path: Path, **files: bytes) -> Path:
    """A folder with these files."""
    folder = tmp_path / "supplied"
    folder.mkdir()
    for name, content in files.items():
        (folder / name).write_bytes(content)
    return folder


def test_files_of_a_folder_are_adopted_by_their_hash_whatever_their_names(
    at: Machine, tmp_path: Path
) -> None:
    folder = supplied(tmp_path, anything=DATA, unsized=b"unsized", **{"toy.tar.gz": WRONG})
    (folder / "sub").mkdir()
    wanted = [
        source(url("https://forge.example/toy.tar.gz")),
        source(url("https://forge.example/x", b"unsized", sized=False), name="other"),
    ]
    adopted = fetch.adopt(folder, wanted, at.vault)
    assert {path.read_bytes() for path in adopted} == {DATA, b"unsized"}
    assert [each.path.read_bytes() for each in at.obtain(*wanted, offline=True)] == [DATA, b"unsized"]
    assert (folder / "anything").exists()
    assert fetch.adopt(folder, wanted, at.vault) == ()


def test_a_file_is_adopted_in_the_place_of_a_damaged_one(at: Machine, tmp_path: Path) -> None:
    folder = supplied(tmp_path, x=DATA)
    wanted = [source(url("https://forge.example/x"))]
    (path,) = fetch.adopt(folder, wanted, at.vault)
    path.chmod(0o644)
    path.write_bytes(WRONG)
    assert fetch.adopt(folder, wanted, at.vault) == (path,)
    assert path.read_bytes() == DATA


def test_sources_are_taken_from_the_folder_of_the_settings_without_a_network(
    at: Machine, tmp_path: Path
) -> None:
    folder = supplied(tmp_path, anything=DATA)
    wanted = source(url("https://forge.example/toy.tar.gz"))
    (obtained,) = at.obtain(wanted, offline=True, folder=folder)
    assert obtained.path.read_bytes() == DATA
    assert at.vault.origin_of(obtained.path.name) == str(folder / "anything")


def test_a_folder_that_is_not_there_is_told(at: Machine, tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="nowhere cannot be listed"):
        at.obtain(source(url("https://forge.example/x")), folder=tmp_path / "nowhere")


@pytest.mark.parametrize(
    ("content", "problem"), [(None, "does not exist"), ("no PEM\n", "has no certificate in it")]
)
def test_certificates_that_a_variable_names_and_that_are_not_there_are_named_before_anything_is_asked(
    at: Machine, site: Site, tmp_path: Path, content: str | None, problem: str
) -> None:
    bundle, wanted = tmp_path / "own.pem", source(url(site.put("/toy.tar.gz", web.content(DATA))))
    if content:
        bundle.write_text(content, encoding="utf-8")
    for name in ("REQUESTS_CA_BUNDLE", "PIP_CERT", "NODE_EXTRA_CA_CERTS"):
        with pytest.raises(UsageError) as caught:
            at.obtain(wanted, environment={name: str(bundle)})
        assert str(caught.value).startswith(f"{name} names {bundle}, which {problem}: ")
    assert not site.asked
    # What is in the vault needs no server, and so no certificate.
    at.obtain(wanted)
    assert at.obtain(wanted, environment={"REQUESTS_CA_BUNDLE": str(bundle)})


# Settings


def test_settings_come_from_the_environment() -> None:
    found = FetchSettings.from_environment(
        {
            "KILN_OFFLINE": "1",
            "KILN_MIRRORS": "https://me:pw@m/{host}/{path} /m/{sha256}",
            "KILN_GIT_MIRRORS": "/m/{owner}/{repo}.git ssh://git@m/{repo} file:///m/{repo}",
        }
    )
    assert found.offline
    assert found.mirrors == ("https://me:pw@m/{host}/{path}", "/m/{sha256}")
    assert found.git_mirrors == ("/m/{owner}/{repo}.git", "ssh://git@m/{repo}", "file:///m/{repo}")
    assert (
        FetchSettings.from_environment({"KILN_OFFLINE": "0"})
        == FetchSettings.from_environment({})
        == FetchSettings()
    )


@pytest.mark.parametrize("name", ["KILN_MIRRORS", "KILN_GIT_MIRRORS"])
@pytest.mark.parametrize(
    "template",
    [
        "relative/{sha256}",
        "ftp://m/x",
        "https://m/{nothing}",
        "http://[bad/x",
        "https://m:port/x",
        "https:///x",
        "ext::sh",
    ],
)
def test_what_is_no_template_is_told_without_its_login(name: str, template: str) -> None:
    with pytest.raises(UsageError) as caught:
        FetchSettings.from_environment({name: template.replace("//m", "//me:secret@m")})
    assert f"{name} has {template!r}, which is not a template" in str(caught.value)
    assert "secret" not in str(caught.value)


def test_a_folder_of_the_checkout_is_taken_without_a_network_and_only_as_it_was_planned(
    at: Machine, tmp_path: Path
) -> None:
    top, _, rest = repository.RECIPE.partition("sources:\n")
    recipe = f"{top}sources:\n  - {{name: toy, origins: [{{folder: library}}]}}\nsteps:{rest.partition('steps:')[2]}"
    root = repository.make(tmp_path / "root", recipe, **{"library/one.py": "one = 1\n"})
    (source,) = Catalogue(root).load("toy").sources
    assert "none was named" in at.refusal(source)
    (root / "library/one.py").write_text("one = 2\n")
    assert "was changed after the build was planned: run again" in at.refusal(source, root=root)
    (root / "library/one.py").write_text("one = 1\n")
    mirrors = {"mirrors": ("http://127.0.0.1:9/{sha256}",)}
    (found,) = at.obtain(source, root=root, offline=True, **mirrors)
    trees.unpack_tree(found, tmp_path / "tree", 0)
    assert (tmp_path / "tree/one.py").read_text() == "one = 1\n"
    assert found.origin == "folder: library"
    # What the vault has needs no checkout: that is how a bundle gives it to another machine.
    (again,) = at.obtain(source)
    assert again.path == found.path
