from __future__ import annotations

import contextlib
import hashlib
import http.client
import json
import os
import re
import shutil
import signal
import sys
import threading
import urllib.request
import zipfile
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import quote

import pypi_simple
import pytest

from kiln.archive import inspect_wheel
from kiln.core.errors import CompileError, DifferenceError, KilnError, SmokeError, SourceError, UsageError
from kiln.index import folder as index_folder
from kiln.index import server, wheelhouse
from tests.support import wheels
from tests.support.folders import tree
from tests.support.loopback import Notes
from tests.support.repository import ROOT
from tests.support.wheels import Venv

VARIANTS = [
    {"cpu_features": "sse4.2"},
    {"cpu_features": "avx,avx2,fma,sse4.2"},
    {"options": {"fast": False}},
    {"options": {"fast": False, "parts": "some"}},
]


@pytest.fixture(scope="module")
def results(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The toy in four variants: 1.0+1, 1.0+avx2, 1.0+nofast and 1.0+nofast.parts.some."""
    folder = tmp_path_factory.mktemp("results")
    for asked in VARIANTS:
        wheels.result(folder, **asked)  # type: ignore[arg-type]
    return folder / "results"


def make(target: Path, *results: Path) -> index_folder.Updated:
    return index_folder.update(
        target, map(wheelhouse.read_result, wheelhouse.results_in(results)), {}, Notes()
    )


@pytest.fixture(scope="module")
def made(results: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("made") / "index"
    make(folder, results)
    return folder


@pytest.fixture(scope="module")
def served(made: Path) -> Iterator[str]:
    with serving(made) as address:
        yield address


class serving:  # noqa: N801  (read as a word)
    def __init__(self, folder: Path) -> None:
        self._server = server.serve(folder, 0)

    def __enter__(self) -> str:
        threading.Thread(target=self._server.serve_forever, args=(0.01,), daemon=True).start()
        return f"http://127.0.0.1:{self._server.server_address[1]}"

    def __exit__(self, *_: object) -> None:
        self._server.shutdown()
        self._server.server_close()


@pytest.fixture(scope="module")
def venv(tmp_path_factory: pytest.TempPathFactory) -> Venv:
    return Venv(tmp_path_factory.mktemp("venv"))


@pytest.mark.parametrize("installer", ["pip", "uv"])
@pytest.mark.parametrize(
    ("asked", "got"),
    [
        ("toy==1.0", "1.0+1"),
        ("toy", "1.0+1"),
        ("toy>=1.0", "1.0+1"),
        ("toy==1.0+avx2", "1.0+avx2"),
        ("toy==1.0+nofast", "1.0+nofast"),
        ("toy==1.0+nofast.parts.some", "1.0+nofast.parts.some"),
    ],
)
def test_an_installer_takes_the_variant_that_is_asked_for(
    served: str, venv: Venv, installer: str, asked: str, got: str
) -> None:
    done = getattr(venv, installer)(f"{served}/simple/", asked)
    assert done.returncode == 0, done.stderr
    assert venv.says() == got


def test_a_folder_is_an_index_without_any_server(made: Path, venv: Venv) -> None:
    done = venv.pip(f"{made.as_uri()}/simple/", "toy==1.0+avx2")
    assert done.returncode == 0, done.stderr
    assert venv.says() == "1.0+avx2"


@pytest.mark.parametrize("accept", [pypi_simple.ACCEPT_JSON_ONLY, pypi_simple.ACCEPT_HTML_ONLY])
def test_pages_in_both_forms_tell_hash_size_and_metadata_of_every_file(
    made: Path, served: str, accept: str
) -> None:
    with pypi_simple.PyPISimple(f"{served}/simple/", accept=accept) as client:
        assert client.get_index_page().projects == ["toy"]
        page = client.get_project_page("toy")
        assert len(page.packages) == len(VARIANTS)
        assert page.repository_version == "1.1"
        for package in page.packages:
            content = (made / "files" / package.filename).read_bytes()
            assert package.digests == {"sha256": hashlib.sha256(content).hexdigest()}
            assert package.requires_python == ">=3.6"
            assert package.url.startswith(f"{served}/files/toy-1.0%2B")
            metadata = client.get_package_metadata(package)  # its hash is checked
            assert f"Version: {package.version}\n" in metadata


def test_the_server_gives_each_form_under_its_own_type(served: str) -> None:
    def kind(path: str, accept: str = "") -> str:
        request = urllib.request.Request(f"{served}/{path}", headers={"Accept": accept} if accept else {})
        with urllib.request.urlopen(request) as answer:
            return str(answer.headers["Content-Type"])

    json_kind, html_kind = "application/vnd.pypi.simple.v1+json", "application/vnd.pypi.simple.v1+html"
    assert kind("simple/toy/") == "text/html; charset=utf-8"
    assert kind("simple/toy/", json_kind) == json_kind
    assert kind("simple/toy/", f"{json_kind};q=0.1, {html_kind}") == html_kind
    assert kind("simple/", f"text/html;q=0.1, {json_kind};q=0.2") == json_kind
    assert kind("simple/toy/", f"{json_kind};q=much") == "text/html; charset=utf-8"
    assert kind("") == "text/html; charset=utf-8"
    assert kind("files/toy-1.0%2Bavx2-py3-none-any.whl.metadata") == "text/plain; charset=utf-8"


@pytest.mark.parametrize(
    "path",
    ["files/", ".lock", "%2elock", "simple/none/", "../results/", "%2e%2e/%2e%2e/etc/passwd", "files/%00"],
)
def test_the_server_gives_nothing_that_is_not_linked(served: str, path: str) -> None:
    with pytest.raises(urllib.error.HTTPError, match="404"):
        urllib.request.urlopen(f"{served}/{path}")


def test_the_page_for_people_shows_each_variant_with_its_line_for_pip(made: Path) -> None:
    page = (made / "index.html").read_text(encoding="utf-8")
    for requirement in ("'toy==1.0'", "'toy==1.0+avx2'", "'toy==1.0+nofast'"):
        assert (
            page.count(requirement.replace("'", "&#39;")) + page.count(requirement) == 2
        )  # for pip and for uv
    assert page.count("1 passed") == len(VARIANTS)
    assert "sse4.2, avx, avx2, fma" in page and "no-fast" in page
    for path in (
        "records/toy-1.0%2B1-py3-none-any.whl/smoke.xml",
        "records/toy-1.0%2B1-py3-none-any.whl/plan.json",
    ):
        assert f'href="{path}"' in page
        assert (made / path.replace("%2B", "+")).is_file()
    assert not list(made.rglob("build.log"))


def test_the_same_results_give_the_same_bytes_in_any_order_and_again(
    made: Path, results: Path, tmp_path: Path
) -> None:
    for folder in sorted(results.iterdir(), reverse=True):
        make(tmp_path / "one", folder)
    assert tree(tmp_path / "one") == tree(made)


def test_what_is_right_already_is_not_written_again(results: Path, tmp_path: Path) -> None:
    make(tmp_path, results)
    before = {path: path.stat().st_ino for path in tmp_path.rglob("*") if path.is_file()}
    assert make(tmp_path, results).added == ()
    assert {path: path.stat().st_ino for path in tmp_path.rglob("*") if path.is_file()} == before


def test_an_altered_wheel_is_not_installed_and_stops_the_next_update(
    results: Path, tmp_path: Path, venv: Venv
) -> None:
    make(tmp_path, results)
    (tmp_path / "files" / "toy-1.0+1-py3-none-any.whl").write_bytes(
        wheels.wheel(tmp_path / "evil", version="1.0+1", says="evil").read_bytes()
    )
    done = venv.pip(f"{tmp_path.as_uri()}/simple/", "toy==1.0")
    assert done.returncode != 0 and "DO NOT MATCH THE HASHES" in done.stderr
    with pytest.raises(SourceError, match="is not what was published"):
        make(tmp_path, results)


def test_an_altered_entry_is_not_installed_and_is_mended_by_the_next_update(
    results: Path, tmp_path: Path, venv: Venv
) -> None:
    make(tmp_path, results)
    good = tree(tmp_path)
    evil = wheels.wheel(tmp_path / "evil", version="1.0+1", says="evil")
    old = hashlib.sha256((tmp_path / "files" / evil.name).read_bytes()).hexdigest()
    new = hashlib.sha256(evil.read_bytes()).hexdigest()
    metadata = f"{evil.name}.metadata"
    (evil.parent / metadata).write_bytes((tmp_path / "files" / metadata).read_bytes())
    page = tmp_path / "simple" / "toy" / "index.html"
    text = page.read_text(encoding="utf-8")
    page.write_text(text.replace(old, new), encoding="utf-8")
    done = venv.pip(f"{tmp_path.as_uri()}/simple/", "toy==1.0")
    assert done.returncode != 0 and "DO NOT MATCH THE HASHES" in done.stderr

    # Whoever alters the wheel and its entry is still found out by a hash that the user has.
    page.write_text(text.replace(old, new).replace("../../files/toy-1.0%2B1", "../../evil/toy-1.0%2B1"))
    asked = tmp_path / "asked.txt"
    asked.write_text(f"toy==1.0+1 --hash=sha256:{old}\n")
    done = venv.pip(f"{tmp_path.as_uri()}/simple/", "--require-hashes", "-r", asked)
    assert done.returncode != 0
    assert venv.pip(f"{tmp_path.as_uri()}/simple/", "toy==1.0").returncode == 0 and venv.says() == "evil"

    make(tmp_path, results)
    assert {name: content for name, content in tree(tmp_path).items() if name in good} == good


@pytest.mark.parametrize(
    ("smoke", "error", "message"),
    [
        (wheels.FAILED, SmokeError, "failed test_toy, and is not published"),
        ("<testsuite/>", SmokeError, "passed no smoke test"),
        ("no report", SmokeError, "no readable report"),
    ],
)
def test_a_wheel_that_did_not_pass_its_suite_is_not_published(
    tmp_path: Path, venv: Venv, smoke: str, error: type[KilnError], message: str
) -> None:
    good = wheels.result(tmp_path / "good")
    bad = wheels.result(tmp_path / "bad", smoke=smoke, cpu_features="baseline")
    make(tmp_path / "index", good)
    with pytest.raises(error, match=message):
        make(tmp_path / "index", bad, good)
    done = venv.pip(f"{(tmp_path / 'index').as_uri()}/simple/", "toy==1.0+baseline")
    assert done.returncode != 0 and "No matching distribution" in done.stderr


@pytest.mark.parametrize("name", ["smoke.xml", "toy-1.0+1-py3-none-any.whl", "plan.json"])
def test_a_result_that_is_not_what_was_recorded_is_not_published(tmp_path: Path, name: str) -> None:
    folder = wheels.result(tmp_path)
    (folder / name).write_bytes((folder / name).read_bytes() + b" ")
    with pytest.raises(SourceError, match=f"{name.replace('+', '.')} is not what was recorded"):
        make(tmp_path / "index", folder)
    assert not (tmp_path / "index" / "index.json").exists()


def test_a_wheel_that_differs_from_its_own_record_is_not_published(tmp_path: Path) -> None:
    folder = wheels.result(tmp_path)
    (path,) = folder.glob("*.whl")
    path.write_bytes(path.read_bytes().replace(b"says = '1.0+1'", b"says = '1.0+9'"))
    sums = [f"{hashlib.sha256(each.read_bytes()).hexdigest()}  {each.name}\n" for each in folder.iterdir()]
    (folder / "SHA256SUMS").write_text("".join(line for line in sums if "SHA256SUMS" not in line))
    with pytest.raises(CompileError, match="is not a sound wheel"):
        make(tmp_path / "index", folder)


def test_a_published_name_never_gets_other_bytes(tmp_path: Path, venv: Venv) -> None:
    make(tmp_path / "index", wheels.result(tmp_path / "one", says="first"))
    before = tree(tmp_path / "index")
    with pytest.raises(DifferenceError, match="published files never change") as raised:
        make(tmp_path / "index", wheels.result(tmp_path / "other", says="second"))
    assert raised.value.exit_code == 5
    assert tree(tmp_path / "index") == before
    venv.pip(f"{(tmp_path / 'index').as_uri()}/simple/", "toy==1.0")
    assert venv.says() == "first"


def forked(target: Path, results: Path, steps: int) -> int:
    """The process id of a fork that updates an index, and kills itself after so many files took their name."""
    child = os.fork()
    if child:
        return child
    left, real = [steps], Path.replace

    def replace(self: Path, other: Path) -> Path:
        left[0] -= 1
        if left[0] < 0:
            os.kill(os.getpid(), signal.SIGKILL)
        return real(self, other)

    try:
        Path.replace = replace  # type: ignore[method-assign,assignment]
        make(target, results)
        os._exit(0)
    finally:
        os._exit(1)


def ended(child: int) -> int:
    return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])


def listed(folder: Path) -> list[str]:
    """The files that an index's pages list, each of which has to be there with its hash."""
    found = []
    for path in (folder / "simple").glob("*/index.json"):
        for file in json.loads(path.read_bytes())["files"]:
            content = (folder / "files" / file["filename"]).read_bytes()
            assert hashlib.sha256(content).hexdigest() == file["hashes"]["sha256"]
            found.append(file["filename"])
    return found


def test_a_killed_update_leaves_a_whole_index_and_the_next_one_finishes_it(
    made: Path, results: Path, tmp_path: Path, venv: Venv
) -> None:
    first = next(path for path in results.iterdir() if list(path.glob("*+1-*")))
    steps = 0
    while True:
        target = tmp_path / str(steps)
        make(target, first)
        code = ended(forked(target, results, steps))
        assert "toy-1.0+1-py3-none-any.whl" in listed(target)
        if steps % 9 == 0:
            assert venv.pip(f"{target.as_uri()}/simple/", "toy==1.0").returncode == 0
        make(target, results)
        assert tree(target) == tree(made)
        if code == 0:
            break
        assert code == -signal.SIGKILL
        steps += 1
    assert steps > 10


def test_two_who_publish_at_once_lose_nothing(made: Path, results: Path, tmp_path: Path) -> None:
    running = [forked(tmp_path / "index", each, sys.maxsize) for each in results.iterdir()]
    assert [ended(each) for each in running] == [0] * len(running)
    assert tree(tmp_path / "index") == tree(made)


def test_what_is_no_result_and_no_index_is_said_to_be_none(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="holds no finished result"):
        make(tmp_path / "index", tmp_path)
    with pytest.raises(UsageError, match="is not a wheel index"):
        index_folder.items(tmp_path)
    with pytest.raises(UsageError, match="is not a wheel index"):
        server.serve(tmp_path, 0)


METADATA = "Metadata-Version: 2.1\nName: toy\nVersion: 1.0\n"


def odd(file: Path, metadata: str | bytes = METADATA) -> Path:
    with zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("toy-1.0.dist-info/METADATA", metadata)
    return file


@pytest.mark.parametrize(
    "name", ["toy-1.0-py3~-none-any", "toy-1.0-py3-none-a<b", "toy-1.0-py3-none-é", "t y-1.0-py3-none-any"]
)
def test_a_name_that_the_manifest_would_refuse_is_not_listed(tmp_path: Path, name: str) -> None:
    with pytest.raises(SourceError, match="not a package that an index can list"):
        wheelhouse.item(odd(tmp_path / f"{name}.whl"))


def test_metadata_are_read_up_to_a_bound(tmp_path: Path) -> None:
    bomb = METADATA.encode() + bytes(wheelhouse.MAX_METADATA)
    with pytest.raises(SourceError, match="is not a wheel"):
        wheelhouse.item(odd(tmp_path / "toy-1.0-py3-none-any.whl", bomb))


@pytest.mark.parametrize(("offset", "value"), [(6, 1), (8, 99)], ids=["encrypted", "unknown method"])
def test_a_wheel_that_cannot_be_unpacked_is_refused(tmp_path: Path, offset: int, value: int) -> None:
    file = odd(tmp_path / "toy-1.0-py3-none-any.whl")
    content = bytearray(file.read_bytes())
    for signature, more in ((b"PK\3\4", 0), (b"PK\1\2", 2)):
        content[content.index(signature) + offset + more] = value
    file.write_bytes(content)
    with pytest.raises(SourceError, match="is not a wheel"):
        wheelhouse.item(file)
    with pytest.raises(CompileError, match="not a sound wheel"):
        inspect_wheel(file)


@pytest.mark.parametrize("rows", ["\n\n", "x" * 200_000, "é,,\n", '"'])
def test_an_odd_record_is_refused(tmp_path: Path, rows: str) -> None:
    file = odd(tmp_path / "toy-1.0-py3-none-any.whl")
    with zipfile.ZipFile(file, "a") as archive:
        archive.writestr("toy-1.0.dist-info/RECORD", rows)
        archive.writestr("toy-1.0.dist-info/WHEEL", "Wheel-Version: 1.0\nTag: py3-none-any\n")
    with pytest.raises(CompileError, match="not a sound wheel"):
        inspect_wheel(file)


@pytest.mark.parametrize(
    "manifest",
    [
        "",
        "{}",
        '{"format": 2, "files": []}',
        '{"format": 1, "files": [{"file": "../x", "sha256": "", "size": 1}]}',
    ],
)
def test_a_manifest_that_cannot_be_trusted_is_not_read(tmp_path: Path, manifest: str) -> None:
    (tmp_path / "index.json").write_text(manifest)
    with pytest.raises(SourceError, match="is not the manifest of an index"):
        index_folder.read(tmp_path)


def documented() -> list[tuple[str, str]]:
    """What docs/wheel-index.md says that a requirement gets."""
    text = (ROOT / "docs" / "wheel-index.md").read_text(encoding="utf-8")
    return re.findall(r"^\| `(opencv-python[^`]*)` \| `([^`]+)` \|$", text, re.M)


@pytest.fixture(scope="module")
def documented_index(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("documented")
    versions = sorted({got for _, got in documented()})
    made = [wheelhouse.item(wheels.wheel(folder / "built", "opencv-python", each)) for each in versions]
    index_folder.update(folder / "index", made, {}, Notes())
    return folder / "index"


@pytest.mark.parametrize(("asked", "got"), documented())
def test_what_the_documentation_says_that_a_requirement_gets_is_what_pip_installs(
    documented_index: Path, venv: Venv, asked: str, got: str
) -> None:
    done = venv.pip(f"{documented_index.as_uri()}/simple/", asked)
    assert done.returncode == 0, done.stderr
    assert venv.says("opencv_python") == got


def test_the_documentation_has_examples() -> None:
    assert len(documented()) >= 8


def ask(address: str, path: str, **headers: str) -> tuple[int, dict[str, str], bytes]:
    """What a server answers to a path as it is written."""
    host, port = address.removeprefix("http://").split(":")
    connection = http.client.HTTPConnection(host, int(port))
    connection.request("GET", path, headers={name.replace("_", "-"): text for name, text in headers.items()})
    answer = connection.getresponse()
    return answer.status, dict(answer.headers), answer.read()


@pytest.mark.parametrize(
    ("wanted", "first", "end"),
    [("bytes=0-9", 0, 10), ("bytes=5-", 5, None), ("bytes=-7", -7, None), ("bytes=3-999999999", 3, None)],
)
def test_a_part_of_a_wheel_is_given_to_who_asks_for_it(
    made: Path, served: str, wanted: str, first: int, end: int | None
) -> None:
    wheel = min((made / "files").glob("*.whl"))
    content = wheel.read_bytes()
    code, headers, part = ask(served, f"/files/{quote(wheel.name)}", Range=wanted)
    assert (code, part) == (206, content[first:end])
    begin = first % len(content)
    assert headers["Content-Range"] == f"bytes {begin}-{begin + len(part) - 1}/{len(content)}"
    assert headers["Accept-Ranges"] == "bytes"


@pytest.mark.parametrize(
    ("code", "headers"),
    [
        (416, {"Range": "bytes=999999999-"}), (416, {"Range": "bytes=-0"}), (200, {"Range": "bytes=9-3"}),
        (200, {"Range": "bytes=0-1,4-5"}), (200, {"Range": "lines=1-2"}), (200, {"Range": "bytes=-"}),
        (200, {"Range": "bytes=0-9", "If_Range": "yesterday"}), (200, {"Range": f"bytes={'9' * 5000}-"}),
    ],
)  # fmt: skip
def test_what_is_no_part_of_a_file_is_refused_or_the_whole(
    made: Path, served: str, code: int, headers: dict[str, str]
) -> None:
    wheel = min((made / "files").glob("*.whl"))
    answer, said, content = ask(served, f"/files/{quote(wheel.name)}", **headers)
    assert (answer, content) == (code, wheel.read_bytes() if code == 200 else b"")
    assert "Content-Range" in said or code == 200


@pytest.mark.parametrize(
    "path", ["/files/%00", "/simple/toy%00/", "/%2e%2e/secret", "//secret", "/files/../../secret", "/%FF"]
)
def test_an_odd_path_is_not_there(served: str, path: str) -> None:
    assert ask(served, path)[0] == 404


def test_a_link_in_a_served_folder_leads_nowhere(made: Path, tmp_path: Path) -> None:
    folder = tmp_path / "index"
    shutil.copytree(made, folder)
    (tmp_path / "secret").write_text("mine")
    (folder / "files" / "secret.whl").symlink_to(tmp_path / "secret")
    (folder / "more").symlink_to(tmp_path)
    os.mkfifo(folder / "files" / "pipe.whl")
    with serving(folder) as address:
        for path in ("/files/secret.whl", "/more/secret", "/more/", "/files/pipe.whl"):
            assert ask(address, path)[0] == 404


@pytest.mark.parametrize(
    "name", [".lock", ".new-index.json", "files/.new-{wheel}", "index.json", "simple/.new-index.html"]
)
def test_a_link_that_was_planted_in_an_index_changes_no_other_file(
    results: Path, tmp_path: Path, name: str
) -> None:
    victim, target = tmp_path / "victim", tmp_path / "index"
    victim.write_text("mine")
    wheel = min(results.rglob("*.whl")).name
    link = target / name.format(wheel=wheel)
    link.parent.mkdir(parents=True)
    link.symlink_to(victim)
    with contextlib.suppress(KilnError):
        make(target, results)
    assert victim.read_text() == "mine"


@pytest.mark.parametrize("folder", ["files", "records", "simple"])
def test_an_index_whose_folder_is_a_link_is_refused(results: Path, tmp_path: Path, folder: str) -> None:
    elsewhere, target = tmp_path / "elsewhere", tmp_path / "index"
    elsewhere.mkdir()
    target.mkdir()
    (target / folder).symlink_to(elsewhere)
    with pytest.raises(SourceError, match=r"is a link: put the folder itself there"):
        make(target, results)
    assert not list(elsewhere.iterdir())


def test_what_a_link_in_an_index_leads_to_is_not_published(made: Path, tmp_path: Path) -> None:
    folder = tmp_path / "index"
    shutil.copytree(made, folder)
    secret = tmp_path / "secret"
    secret.write_text("mine")
    record = min((folder / "records").iterdir())
    (record / "more.txt").symlink_to(secret)
    assert "more.txt" not in {path.name for item in index_folder.items(folder) for path in item.record}
    (folder / "sets").mkdir(exist_ok=True)
    (folder / "sets" / "all.txt").symlink_to(secret)
    with pytest.raises(SourceError, match="is a link, or not a file"):
        index_folder.sets_of(folder)


@pytest.mark.parametrize("kind", ["link", "pipe"])
def test_a_result_with_something_else_than_a_file_is_not_read(tmp_path: Path, kind: str) -> None:
    folder = wheels.result(tmp_path)
    report = folder / "smoke.xml"
    (tmp_path / "copy").write_bytes(report.read_bytes())
    report.unlink()
    report.symlink_to(tmp_path / "copy") if kind == "link" else os.mkfifo(report)
    with pytest.raises(SourceError, match=r"smoke\.xml is not what was recorded"):
        wheelhouse.read_result(folder)


def test_a_wheel_without_a_name_in_its_metadata_is_not_listed(tmp_path: Path) -> None:
    path = wheels.wheel(tmp_path)
    with zipfile.ZipFile(path) as old:
        files = {name: old.read(name) for name in old.namelist()}
    with zipfile.ZipFile(path, "w") as new:
        for name, content in files.items():
            new.writestr(name, content.replace(b"Name: toy\n", b"") if name.endswith("METADATA") else content)
    with pytest.raises(SourceError, match="not a package that an index can list"):
        wheelhouse.item(path)


def test_a_list_or_manifest_that_is_nested_without_end_is_refused() -> None:
    with pytest.raises(SourceError, match="is not the signed list"):
        index_folder.listing.parse("[" * 100_000, "list")
    with pytest.raises(SourceError, match="is not the manifest"):
        index_folder.parse(b"[" * 100_000, "manifest")
