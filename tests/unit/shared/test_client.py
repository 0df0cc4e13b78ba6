from __future__ import annotations

import hashlib
import http.client
import io
import socket
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from pathlib import Path

import pytest

from kiln.shared import CacheClient, SharedCache, sockets, store_of
from kiln.shared.client import FAILURES, PAUSE
from kiln.sources import Patience
from tests.support.object_server import Objects, object_server
from tests.support.remote_server import remote_server

BODY = bytes(range(256)) * 300
CAS = f"cas/{hashlib.sha256(BODY).hexdigest()}"
QUICK = Patience(connect=0.3, stall=0.3, slowest=20_000, pauses=())


class Clock:
    def __init__(self) -> None:
        self.time = 1000.0

    def __call__(self) -> float:
        return self.time


@pytest.fixture(params=["http", "redis", "grpc"])
def objects(request: pytest.FixtureRequest) -> Iterator[Objects]:
    with server(request.param) as found:
        yield found


def server(kind: str, login: str = "") -> AbstractContextManager[Objects]:
    return remote_server(login) if kind == "grpc" else object_server(kind, login)


@pytest.fixture
def front(tmp_path: Path) -> Callable[..., CacheClient]:
    def make(
        objects: Objects, space: str = "toy", key: str = "", login: str = "", write: bool = True
    ) -> CacheClient:
        cache = SharedCache(f"{objects.url}", write, login, key)
        made = CacheClient(cache, space, store_of(cache, QUICK), tmp_path, said.append, clock)
        made.said, made.clock = said, clock  # type: ignore[attr-defined]
        return made

    said: list[str] = []
    clock = Clock()
    return make


def put(front: CacheClient, name: str, body: bytes = BODY) -> None:
    with (front.work / "object").open("w+b") as file:
        file.write(body)
        front.put(name, file)


def got(front: CacheClient, name: str) -> bytes | None:
    found = front.get(name)
    if found is None:
        return None
    with found:
        return found.read()


@pytest.mark.parametrize("name", [CAS, "ccache/abc", "bazel/tools/abc"])
def test_what_one_build_gives_another_takes_and_both_count_it(
    front: Callable[..., CacheClient], objects: Objects, name: str
) -> None:
    one, other = front(objects), front(objects)
    assert got(other, name) is None
    put(one, name)
    assert got(other, name) == BODY
    assert (one.counts.given, other.counts.taken, other.counts.missing) == (1, 1, 1)
    assert other.counts.taken_bytes == len(BODY)
    assert "1 objects (0.1 MB) came from it" in other.summary()


def test_who_may_only_read_gives_nothing(front: Callable[..., CacheClient], objects: Objects) -> None:
    put(front(objects, write=False), CAS)
    assert objects.asked == [] and objects.kept == {}


def test_an_object_under_the_digest_of_another_is_not_given_on(
    front: Callable[..., CacheClient], objects: Objects
) -> None:
    put(front(objects), CAS, b"something else")
    assert objects.kept == {}


def test_recipes_do_not_see_each_others_objects(front: Callable[..., CacheClient], objects: Objects) -> None:
    put(front(objects, space="one"), "ccache/abc")
    assert got(front(objects, space="two"), "ccache/abc") is None
    assert got(front(objects, space="one"), "ccache/abc") == BODY


@pytest.mark.parametrize("name", [CAS, "ccache/abc", "bazel/tools/abc"])
def test_an_altered_object_is_not_used_and_that_is_said_once(
    front: Callable[..., CacheClient], objects: Objects, name: str
) -> None:
    one = front(objects)
    put(one, name)
    objects.mode = "altered"
    assert got(one, name) is None and got(one, name) is None
    assert one.counts.altered == 2
    assert len(one.said) == 1 and "not what was stored there" in one.said[0]  # type: ignore[attr-defined]


def test_without_the_key_no_object_is_made_or_exchanged_unseen(
    front: Callable[..., CacheClient], objects: Objects
) -> None:
    own, other = front(objects, key="ours"), front(objects, key="theirs")
    put(other, "ccache/abc", b"a false object")
    assert got(own, "ccache/abc") is None
    put(own, "ccache/abc")
    put(own, "ccache/def", b"a true object of another name")
    first, second = objects.kept
    objects.kept[first] = objects.kept[second]
    assert got(own, "ccache/abc") is None and got(own, "ccache/def") is not None
    assert own.counts.altered == 2


@pytest.mark.parametrize("mode", ["gone", "error", "hang", "drip", "cut"])
def test_a_cache_that_fails_is_a_miss_said_once_and_asked_again_later(
    front: Callable[..., CacheClient], tmp_path: Path, mode: str
) -> None:
    with object_server() as objects:
        one = front(objects)
        clock: Clock = one.clock  # type: ignore[attr-defined]
        put(one, CAS)
        objects.mode = mode
        for _ in range(3 * FAILURES):
            assert got(one, CAS) is None
        assert len([path for kind, path in objects.asked if kind == "GET"]) == FAILURES
        objects.mode = "well"
        assert got(one, CAS) is None
        clock.time += PAUSE + 1
        assert got(one, CAS) == BODY
        assert len(one.said) == 1 and "is compiled here" in one.said[0]  # type: ignore[attr-defined]
        assert one.counts.failures == FAILURES


@pytest.mark.parametrize("mode", ["gone", "error", "hang"])
def test_a_server_that_speaks_grpc_and_fails_is_a_miss_said_once(
    front: Callable[..., CacheClient], mode: str
) -> None:
    with remote_server() as objects:
        one = front(objects)
        put(one, CAS)
        objects.mode = mode
        for _ in range(2 * FAILURES):
            assert got(one, CAS) is None
        assert one.counts.failures == FAILURES
        assert len(one.said) == 1 and "is compiled here" in one.said[0]  # type: ignore[attr-defined]


@pytest.mark.parametrize("mode", ["gone", "error", "full", "hang"])
def test_a_cache_that_takes_nothing_is_left_alone_and_still_gives(
    front: Callable[..., CacheClient], mode: str
) -> None:
    with object_server() as objects:
        one = front(objects)
        put(one, CAS)
        objects.mode = mode
        for number in range(2 * FAILURES):
            put(one, f"ccache/{number}")
        assert len([path for kind, path in objects.asked if kind == "PUT"]) == 1 + FAILURES
        objects.mode = "well"
        assert got(one, CAS) == BODY
        assert len(one.said) == 1 and "stays here" in one.said[0]  # type: ignore[attr-defined]


def test_a_cache_that_is_not_there_costs_a_few_questions(front: Callable[..., CacheClient]) -> None:
    for kind in ("http", "redis", "grpc"):
        with server(kind) as objects:
            one = front(objects)
        for _ in range(2 * FAILURES):
            assert got(one, CAS) is None
        assert one.counts.failures == FAILURES


def test_logins_are_used_and_never_shown(front: Callable[..., CacheClient]) -> None:
    for kind, login, wanted in (
        ("http", "me:secret", "Basic bWU6c2VjcmV0"),
        ("http", "secret", "Bearer secret"),
        ("redis", "secret", "secret"),
        ("grpc", "secret", "Bearer secret"),
    ):
        with server(kind, wanted) as objects:
            one = front(objects, login=login)
            put(one, CAS)
            assert got(one, CAS) == BODY
            assert "secret" not in repr(one.cache) + one.summary()
            refused = front(objects, login="other:login")
            for _ in range(FAILURES):
                assert got(refused, CAS) is None
    assert any("401" in each or "UNAUTHENTICATED" in each for each in refused.said)  # type: ignore[attr-defined]


@pytest.fixture
def opened(front: Callable[..., CacheClient], tmp_path: Path) -> Iterator[tuple[CacheClient, Path]]:
    """A front, and the folder with its two sockets, whose path is longer than that of a socket may be."""
    folder = tmp_path / ("x" * 120)
    folder.mkdir()
    with object_server() as objects:
        made = front(objects)
        with sockets.opened(made, folder):
            yield made, folder


def connected(folder: Path, name: str) -> socket.socket:
    made = socket.socket(socket.AF_UNIX)
    link = folder.parent / name
    if not link.exists():
        link.symlink_to(folder / name)
    made.connect(str(link))
    return made


def test_bazels_requests_are_answered_on_one_socket(opened: tuple[CacheClient, Path]) -> None:
    _, folder = opened
    with connected(folder, sockets.HTTP) as sock:
        http_client = http.client.HTTPConnection("kiln")
        http_client.sock = sock
        told = []
        for method, path, body in (
            ("GET", f"/tools/{CAS}", None),
            ("PUT", f"/tools/{CAS}", BODY),
            ("GET", f"/tools/{CAS}", None),
            ("PUT", f"/tools/ac/{'a' * 64}", b"result"),
            ("GET", f"/tools/ac/{'a' * 64}", None),
            ("GET", f"/other/ac/{'a' * 64}", None),
            ("GET", "/../../etc/passwd", None),
        ):
            http_client.request(method, path, body)
            answer = http_client.getresponse()
            told.append((answer.status, answer.read()))
    assert told == [
        (404, b""), (200, b""), (200, BODY), (200, b""), (200, b"result"), (404, b""), (404, b""),
    ]  # fmt: skip


def test_ccaches_commands_are_answered_on_the_other(opened: tuple[CacheClient, Path]) -> None:
    _, folder = opened

    def command(*words: bytes) -> bytes:
        return b"*%d\r\n" % len(words) + b"".join(b"$%d\r\n%s\r\n" % (len(word), word) for word in words)

    with connected(folder, sockets.REDIS) as sock:
        sock.sendall(
            command(b"GET", b"ccache:1") + command(b"EXISTS", b"ccache:1") + command(b"SET", b"ccache:1", b"an object")
            + command(b"GET", b"ccache:1") + command(b"DEL", b"ccache:1") + command(b"GET", b"ccache:1")
        )  # fmt: skip
        sock.shutdown(socket.SHUT_WR)
        told = sock.makefile("rb").read()
    assert told == b"$-1\r\n:0\r\n+OK\r\n$9\r\nan object\r\n:0\r\n$9\r\nan object\r\n"


@pytest.mark.parametrize(
    "nonsense",
    [
        b"\x00" * 400,
        b"*3\r\n$9999999999999\r\n",
        b"*1\r\n$2000\r\n",
        b"*3\r\n$3\r\nSET\r\n$1\r\nx\r\n$999999999999\r\nx",
    ],
)
def test_nonsense_ends_a_connection_and_nothing_else(
    opened: tuple[CacheClient, Path], nonsense: bytes
) -> None:
    front, folder = opened
    for name in (sockets.HTTP, sockets.REDIS):
        with connected(folder, name) as sock:
            sock.sendall(nonsense)
            sock.shutdown(socket.SHUT_WR)
            io.BufferedReader(sock.makefile("rb", buffering=0)).read()
    assert front.counts.given == 0
    put(front, CAS)
    assert got(front, CAS) == BODY
