"""The cache server that ci/farm configures, by the real nginx where it is installed."""

from __future__ import annotations

import base64
import hashlib
import shutil
import socket
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest
import yaml

from kiln.shared import CacheClient, SharedCache, store_of
from kiln.shared.client import FAILURES
from tests.support.repository import ROOT

FARM = ROOT / "ci/farm"
NGINX = shutil.which("nginx") or "/usr/sbin/nginx"
BODY = b"an object" * 100_000
NAME = f"cas/{hashlib.sha256(BODY).hexdigest()}"


def login(name: str, password: str) -> str:
    """A line of a file of logins, as `htpasswd -s` writes it."""
    digest = hashlib.sha1(password.encode(), usedforsecurity=False).digest()
    return f"{name}:{{SHA}}{base64.b64encode(digest).decode()}\n"


@pytest.fixture
def server(tmp_path: Path) -> Iterator[str]:
    if not Path(NGINX).exists():
        pytest.skip("nginx is not installed: apt-get install nginx-light")
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    logins, cache = tmp_path / "logins", tmp_path / "cache"
    for folder in (logins, cache / "objects", cache / "uploads"):
        folder.mkdir(parents=True)
    (logins / "readers").write_text(login("person", "one") + login("ci", "two"))
    (logins / "writers").write_text(login("ci", "two"))
    text = (FARM / "nginx.conf").read_text()
    # The folders of parts that are not used: those that are built in belong to root.
    unused = "".join(
        f" {each}_temp_path {tmp_path}/{each};" for each in ("proxy", "fastcgi", "uwsgi", "scgi")
    )
    for old, new in {
        "access_log off;": f"access_log off;{unused}",
        "listen 8080": f"listen 127.0.0.1:{port}",
        "/cache/": f"{cache}/",
        "/etc/nginx/kiln": str(logins),
        "worker_processes auto;": f"worker_processes 1; user root; pid {tmp_path}/pid; daemon off;",
    }.items():
        assert old in text
        text = text.replace(old, new)
    (tmp_path / "nginx.conf").write_text(text)
    with subprocess.Popen(
        [NGINX, "-p", tmp_path, "-c", tmp_path / "nginx.conf", "-e", tmp_path / "log"]
    ) as process:
        try:
            while process.poll() is None:
                with socket.socket() as probe:
                    if probe.connect_ex(("127.0.0.1", port)) == 0:
                        break
            yield f"http://127.0.0.1:{port}"
        finally:
            process.terminate()


def test_who_has_a_writers_login_gives_objects_and_who_has_a_readers_takes_them(
    server: str, tmp_path: Path
) -> None:
    def client(login: str) -> CacheClient:
        cache = SharedCache(server, True, login, "our key")
        return CacheClient(cache, "toy", store_of(cache), tmp_path, said.append)

    said: list[str] = []
    ci, person, stranger = client("ci:two"), client("person:one"), client("person:two")
    file = tmp_path / "object"
    file.write_bytes(BODY)
    with file.open("rb") as content:
        for name in (NAME, "ccache/1"):
            ci.put(name, content)
        assert ci.counts.given == 2
        for name in (NAME, "ccache/1"):
            found = person.get(name)
            assert found and found.read() == BODY
        assert person.get("ccache/2") is None and person.counts.failures == 0
        for _ in range(FAILURES):
            person.put("ccache/2", content)
            assert stranger.get(NAME) is None
    assert person.counts.given == stranger.counts.taken == 0
    assert [each.rpartition(" answers ")[2][:3] for each in said] == ["401", "401"]


def test_the_composed_servers_mount_what_is_there() -> None:
    composed = yaml.safe_load((FARM / "compose.yaml").read_text())
    mounts = [mount for each in composed["services"].values() for mount in each.get("volumes", ())]
    files = {mount.split(":")[0] for mount in mounts if mount.startswith("./")}
    assert files == {"./nginx.conf", "./logins", "./buildgrid.yaml"}
    assert all((FARM / file).exists() for file in files - {"./logins"})
    assert "`ci/farm/logins`" in (ROOT / "docs/scale.md").read_text()
