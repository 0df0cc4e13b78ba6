from __future__ import annotations

import base64
import getpass
import hashlib
import os
import shutil
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pypi_simple
import pytest

from kiln.core.errors import DifferenceError, SourceError, UsageError
from kiln.index import folder as index_folder
from kiln.index import publisher, wheelhouse
from tests.support import wheels
from tests.support.folders import tree
from tests.support.loopback import Notes
from tests.support.wheels import Venv

WORD = "hunter2-of-the-test"


@pytest.fixture
def built(tmp_path: Path) -> Path:
    """An index with two variants of the toy and a package of others."""
    folder = tmp_path / "index"
    results = [wheels.result(tmp_path / "house"), wheels.result(tmp_path / "house", cpu_features="baseline")]
    other = wheelhouse.item(wheels.wheel(tmp_path / "others", "needed"))
    index_folder.update(
        folder, [*map(wheelhouse.read_result, results), other], {"all.txt": b"toy==1.0+1\n"}, Notes()
    )
    return folder


def grown(folder: Path, tmp_path: Path, **asked: str) -> Path:
    """A further index, which has one wheel of its own."""
    made = wheels.result(tmp_path / "more", **asked)  # type: ignore[arg-type]
    index_folder.update(folder, [wheelhouse.read_result(made)], {}, Notes())
    return folder


def send(folder: Path, target: str, simple: str = "", **environment: str) -> publisher.Done:
    return publisher.publish(
        folder, publisher.publish_target(target, simple), {**os.environ, **environment}, Notes()
    )


def installed(address: str, asked: str, venv: Venv) -> str:
    done = venv.pip(address, asked)
    assert done.returncode == 0, done.stderr
    return venv.says()


@pytest.fixture(scope="module")
def venv(tmp_path_factory: pytest.TempPathFactory) -> Venv:
    return Venv(tmp_path_factory.mktemp("venv"))


def test_a_folder_becomes_the_same_index_and_gets_only_what_is_new(built: Path, tmp_path: Path) -> None:
    first = send(built, str(tmp_path / "site"))
    assert len(first.sent) == 3 and first.there == ()
    assert tree(tmp_path / "site") == tree(built)
    again = send(built, str(tmp_path / "site"))
    assert again.sent == () and set(again.there) == set(first.sent)


def test_an_index_that_was_altered_is_not_published(built: Path, tmp_path: Path) -> None:
    (built / "files" / "toy-1.0+1-py3-none-any.whl").write_bytes(b"evil")
    with pytest.raises(SourceError, match="is not what was published"):
        send(built, str(tmp_path / "site"))
    assert not (tmp_path / "site").exists()


def free_port() -> int:
    with socket.socket() as held:
        held.bind(("127.0.0.1", 0))
        return int(held.getsockname()[1])


def wait_for(port: int, process: subprocess.Popen[bytes]) -> None:
    """Until a server answers."""
    while process.poll() is None:
        try:
            socket.create_connection(("127.0.0.1", port), timeout=1).close()
            return
        except OSError:
            time.sleep(0.02)
    raise AssertionError(f"the server ended with {process.returncode}")


def daemon(tmp_path: Path) -> Iterator[tuple[str, Path, dict[str, str]]]:
    """rsync's own daemon."""
    if not shutil.which("rsync"):
        pytest.skip("there is no rsync")
    site, port = tmp_path / "site", free_port()
    site.mkdir()
    owner = f"uid = {os.getuid()}\ngid = {os.getgid()}\n" if os.getuid() == 0 else ""
    config = tmp_path / "rsyncd.conf"
    config.write_text(f"use chroot = no\n{owner}[site]\npath = {site}\nread only = no\n")
    command = [
        "rsync",
        "--daemon",
        "--no-detach",
        f"--config={config}",
        "--address=127.0.0.1",
        f"--port={port}",
    ]
    process = subprocess.Popen(command)
    try:
        wait_for(port, process)
        yield f"rsync://127.0.0.1:{port}/site/wheels", site / "wheels", {}
    finally:
        process.terminate()
        process.wait()


def ssh(tmp_path: Path) -> Iterator[tuple[str, Path, dict[str, str]]]:
    """A real sshd, with keys of its own."""
    server = shutil.which("sshd", path=f"{os.environ['PATH']}:/usr/sbin")
    if not server or not shutil.which("rsync"):
        pytest.skip("there is no sshd, or no rsync")
    keys, port = tmp_path / "keys", free_port()
    keys.mkdir(mode=0o700)
    for name in ("host", "user"):
        subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", keys / name], check=True)
    shutil.copy(keys / "user.pub", keys / "authorized")
    if os.getuid() == 0:
        Path("/run/sshd").mkdir(exist_ok=True)
    (keys / "config").write_text(
        f"Port {port}\nListenAddress 127.0.0.1\nHostKey {keys}/host\nAuthorizedKeysFile {keys}/authorized\n"
        "StrictModes no\nUsePAM no\nPasswordAuthentication no\nPermitRootLogin yes\nPidFile none\n"
    )
    process = subprocess.Popen([server, "-D", "-q", "-f", keys / "config"])
    try:
        wait_for(port, process)
        login = f"ssh -p {port} -i {keys}/user -F none -o StrictHostKeyChecking=no -o UserKnownHostsFile=/dev/null"
        site = tmp_path / "site"
        yield f"{getpass.getuser()}@127.0.0.1:{site}", site, {"RSYNC_RSH": login}
    finally:
        process.terminate()
        process.wait()


Host = tuple[str, Path, dict[str, str]]


@pytest.fixture
def host(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Host]:
    """A place that rsync reaches, its folder here, and what the environment has to say for it."""
    yield from getattr(request, "param", daemon)(tmp_path)


@pytest.mark.parametrize("host", [daemon, ssh], indirect=True)
def test_a_host_becomes_the_same_index_and_gets_only_what_is_new(
    built: Path, tmp_path: Path, host: Host, venv: Venv
) -> None:
    place, site, environment = host
    assert len(send(built, place, **environment).sent) == 3
    assert tree(site) == tree(built)
    assert send(built, place, **environment).sent == ()
    assert installed(f"{site.as_uri()}/simple/", "toy==1.0+baseline", venv) == "1.0+baseline"

    # Another machine, which has never seen what is there, adds to it.
    more = grown(tmp_path / "other", tmp_path, cpu_features="avx")
    assert send(more, place, **environment).sent == ("toy-1.0+cpu.avx-py3-none-any.whl",)
    assert {entry.file for entry in index_folder.read(site)} == {
        entry.file for folder in (built, more) for entry in index_folder.read(folder)
    }
    send(more, str(built))
    assert tree(site) == tree(built)


def test_a_host_keeps_what_is_published_there(built: Path, tmp_path: Path, host: Host) -> None:
    place, site, environment = host
    send(built, place, **environment)
    before = tree(site)
    other = wheels.result(tmp_path / "more", says="another")
    index_folder.update(tmp_path / "other", [wheelhouse.read_result(other)], {}, Notes())
    with pytest.raises(DifferenceError, match="published files never change"):
        send(tmp_path / "other", place, **environment)
    assert tree(site) == before

    (site / "files" / "toy-1.0+1-py3-none-any.whl").write_bytes(b"altered there")
    with pytest.raises(DifferenceError, match="already with other bytes"):
        send(built, place, **environment)


def test_what_a_stopped_publisher_left_at_a_host_is_finished(built: Path, tmp_path: Path, host: Host) -> None:
    place, site, environment = host
    shutil.copytree(built, site)
    for name in ("simple", "sets", "records"):
        shutil.rmtree(site / name)
    (site / "index.html").unlink()
    send(built, place, **environment)
    assert tree(site) == tree(built)


def test_two_who_publish_to_a_host_at_once_both_arrive(built: Path, tmp_path: Path, host: Host) -> None:
    place, site, environment = host
    folders = [built, grown(tmp_path / "other", tmp_path, cpu_features="avx")]
    with ThreadPoolExecutor() as pool:
        list(pool.map(lambda each: send(each, place, **environment), folders))
    for each in folders:
        send(each, place, **environment)
    send(folders[1], str(built))
    assert tree(site) == tree(built)


def test_a_host_that_cannot_be_reached_is_named_with_the_reason(built: Path) -> None:
    if not shutil.which("rsync"):
        pytest.skip("there is no rsync")
    with pytest.raises(SourceError, match=r"rsync failed at rsync://127\.0\.0\.1:1/x") as raised:
        send(built, "rsync://127.0.0.1:1/x")
    assert len(str(raised.value).splitlines()) == 1


@pytest.fixture
def endpoint(tmp_path: Path) -> Iterator[tuple[str, Path]]:
    """A real pypiserver that asks for a login, and the folder in which it keeps its files."""
    store, port = tmp_path / "store", free_port()
    store.mkdir()
    digest = hashlib.sha1(WORD.encode(), usedforsecurity=False).digest()
    (tmp_path / "htpasswd").write_text(f"kiln:{{SHA}}{base64.b64encode(digest).decode()}\n")
    command = [
        sys.executable, "-m", "pypiserver", "run", "--interface", "127.0.0.1", "--port", str(port),
        "--passwords", tmp_path / "htpasswd", "--authenticate", "update", "--disable-fallback", store,
    ]  # fmt: skip
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        wait_for(port, process)
        yield f"http://127.0.0.1:{port}/", store
    finally:
        process.send_signal(signal.SIGTERM)
        process.wait()


@pytest.mark.parametrize("where", ["environment", "pypirc name", "pypirc url", "netrc"])
def test_an_endpoint_gets_each_wheel_once_with_the_users_own_login(
    built: Path,
    tmp_path: Path,
    endpoint: tuple[str, Path],
    venv: Venv,
    where: str,
    capfd: pytest.CaptureFixture[str],
) -> None:
    url, store = endpoint
    home = tmp_path / "home"
    home.mkdir()
    environment = {"HOME": str(home)}
    if where == "environment":
        environment |= {"TWINE_USERNAME": "kiln", "TWINE_PASSWORD": WORD}
    elif where == "netrc":
        environment["NETRC"] = str(home / ".netrc")
        (home / ".netrc").write_text(f"machine 127.0.0.1 login kiln password {WORD}\n")
    else:
        (home / ".pypirc").write_text(
            f"[distutils]\nindex-servers = own\n[own]\nrepository = {url}\nusername = kiln\npassword = {WORD}\n"
        )
    target = "pypirc:own" if where == "pypirc name" else url
    with pytest.MonkeyPatch.context() as patch:
        for name, value in environment.items():
            patch.setenv(name, value)
        assert len(send(built, target).sent) == 2
        again = send(built, target)
        assert again.sent == () and set(again.there) == {each.name for each in store.iterdir()}
    assert WORD not in "".join(capfd.readouterr())
    assert {each.name: each.read_bytes() for each in store.iterdir()} == {
        each.name: each.read_bytes() for each in (built / "files").glob("toy-*.whl")
    }
    assert installed(f"{url}simple/", "toy==1.0", venv) == "1.0+1"


def test_an_endpoint_that_was_left_in_the_middle_gets_the_rest(
    built: Path, endpoint: tuple[str, Path]
) -> None:
    url, store = endpoint
    shutil.copy(built / "files" / "toy-1.0+1-py3-none-any.whl", store)
    done = send(built, url, TWINE_USERNAME="kiln", TWINE_PASSWORD=WORD)
    assert done.sent == ("toy-1.0+baseline-py3-none-any.whl",)


def test_an_endpoint_keeps_what_is_published_there(
    built: Path, tmp_path: Path, endpoint: tuple[str, Path]
) -> None:
    url, store = endpoint
    evil = wheels.wheel(tmp_path / "evil", version="1.0+1", says="another")
    shutil.copy(evil, store)
    with pytest.raises(DifferenceError, match="already with other bytes"):
        send(built, url, TWINE_USERNAME="kiln", TWINE_PASSWORD=WORD)
    with pypi_simple.PyPISimple(f"{url}simple/") as client:
        assert len(client.get_project_page("toy").packages) == 1


def test_a_refused_login_is_told_without_the_password(built: Path, endpoint: tuple[str, Path]) -> None:
    wrong = "secret-but-wrong"
    with pytest.raises(SourceError, match=r"was refused by http://127\.0\.0\.1:.*403") as raised:
        send(built, endpoint[0], TWINE_USERNAME="kiln", TWINE_PASSWORD=wrong)
    assert wrong not in str(raised.value) and len(str(raised.value).splitlines()) == 1


def test_a_login_in_a_url_is_refused_and_not_repeated() -> None:
    with pytest.raises(UsageError, match="is written with a login") as raised:
        publisher.publish_target(f"https://kiln:{WORD}@wheels.example/")
    assert WORD not in str(raised.value)


def test_a_damaged_pypirc_is_told_without_its_lines(
    built: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / ".pypirc").write_text(f"password = {WORD}\n")
    monkeypatch.setenv("HOME", str(tmp_path))
    with pytest.raises(UsageError, match=r"~/\.pypirc: this file cannot be read") as raised:
        send(built, "pypirc:own")
    assert WORD not in str(raised.value)
    (tmp_path / ".pypirc").write_text("[other]\n")
    with pytest.raises(UsageError, match=r"no section \[own\]"):
        send(built, "pypirc:own")


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("site", publisher.Folder(Path("site"))),
        ("/srv/a:b", publisher.Folder(Path("/srv/a:b"))),
        ("me@host:/srv/wheels/", publisher.Rsync("me@host:/srv/wheels")),
        ("rsync://host/wheels", publisher.Rsync("rsync://host/wheels")),
        ("https://host/upload/", publisher.Upload(url="https://host/upload/")),
        ("pypirc:own", publisher.Upload(name="own")),
    ],
)
def test_a_target_is_what_it_looks_like(text: str, expected: publisher.Target) -> None:
    assert publisher.publish_target(text) == expected


def test_a_manifest_at_a_host_that_cannot_be_read_is_not_taken_for_none(built: Path, host: Host) -> None:
    place, site, environment = host
    send(built, place, **environment)
    (site / "index.json").write_text("damaged")
    before = tree(site)
    with pytest.raises(SourceError, match="is not the manifest of an index"):
        send(built, place, **environment)
    assert tree(site) == before
