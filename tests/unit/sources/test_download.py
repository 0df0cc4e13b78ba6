from __future__ import annotations

import base64
import gzip
import hashlib
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest
import requests

from kiln.core import without_login
from kiln.recipe import PypiOrigin
from kiln.sources import pypi
from kiln.sources.address import host
from kiln.sources.download import Downloader, whole
from kiln.sources.errors import AbsentError, OriginError, TransientError, WrongContentError
from kiln.sources.http import Logins, Session
from kiln.sources.pinned import Pinned
from kiln.sources.pypi import Pip
from kiln.sources.settings import Patience
from tests.support import web
from tests.support.web import Listener, Site

DATA = bytes(range(256)) * 1000
PINNED = Pinned(hashlib.sha256(DATA).hexdigest(), len(DATA))
UNSIZED = Pinned(PINNED.digest)
QUICK = Downloader(Patience(connect=5, stall=5, pauses=(0, 0)))


class Fetch:
    """Fetches to one partial file."""

    def __init__(self, folder: Path, listener: Listener) -> None:
        self.partial = folder / "x.part"
        self.listener = listener

    def __call__(self, url: str, pinned: Pinned = PINNED, downloader: Downloader = QUICK) -> bytes:
        downloader.fetch(url, self.partial, pinned, "x", self.listener)
        return self.partial.read_bytes()

    def fails(
        self,
        url: str,
        kind: type[OriginError] = OriginError,
        pinned: Pinned = PINNED,
        downloader: Downloader = QUICK,
    ) -> str:
        with pytest.raises(kind) as caught:
            self(url, pinned, downloader)
        assert "\n" not in str(caught.value)
        return str(caught.value)

    @property
    def left(self) -> bytes:
        return self.partial.read_bytes()


@pytest.fixture
def fetch(tmp_path: Path, listener: Listener) -> Fetch:
    return Fetch(tmp_path, listener)


@pytest.mark.parametrize("pinned", [PINNED, UNSIZED], ids=["sized", "unsized"])
@pytest.mark.parametrize("answer", [web.content(DATA), web.unsized(DATA)], ids=["length", "no length"])
def test_a_file_arrives_whole_and_its_bytes_are_told(
    site: Site, fetch: Fetch, listener: Listener, pinned: Pinned, answer: web.Answer
) -> None:
    assert fetch(site.put("/x", answer), pinned) == DATA
    assert listener.count == len(DATA)
    assert not listener.under_way


@pytest.mark.parametrize("pinned", [PINNED, UNSIZED], ids=["sized", "unsized"])
def test_half_a_file_is_completed_from_where_it_broke_off(site: Site, fetch: Fetch, pinned: Pinned) -> None:
    assert fetch(site.put("/x", web.cut(DATA, 1000), web.content(DATA)), pinned) == DATA
    assert site.asked == [("/x", ""), ("/x", "bytes=1000-")]


def test_what_an_earlier_run_left_is_not_asked_for_again(
    site: Site, fetch: Fetch, listener: Listener
) -> None:
    fetch.partial.write_bytes(DATA[:5000])
    assert fetch(site.put("/x", web.content(DATA))) == DATA
    assert site.asked == [("/x", "bytes=5000-")]
    assert listener.count == len(DATA)


def test_a_file_that_is_whole_already_needs_no_server(fetch: Fetch) -> None:
    fetch.partial.write_bytes(DATA)
    with web.closed_port() as address:
        assert fetch(f"{address}/x") == DATA


def test_a_server_that_knows_no_ranges_is_read_from_the_start(site: Site, fetch: Fetch) -> None:
    fetch.partial.write_bytes(DATA[:5000])
    assert fetch(site.put("/x", web.content(DATA, ranges=False))) == DATA


@pytest.mark.parametrize(
    "left", [b"other" * 10, b"?" * len(DATA), DATA + b"more"], ids=["a half", "a whole", "longer"]
)
def test_what_was_left_of_another_file_is_thrown_away(site: Site, fetch: Fetch, left: bytes) -> None:
    fetch.partial.write_bytes(left)
    assert fetch(site.put("/x", web.content(DATA))) == DATA


def test_another_part_than_the_one_asked_for_is_refused_and_the_half_kept(site: Site, fetch: Fetch) -> None:
    fetch.partial.write_bytes(DATA[:5000])
    reply = b"HTTP/1.1 206 Partial\r\nContent-Range: bytes 0-9/256000\r\nContent-Length: 10\r\n\r\n0123456789"
    assert "another part" in fetch.fails(site.put("/x", web.raw(reply)))
    assert fetch.left == DATA[:5000]


def test_a_missing_file_is_asked_for_once(site: Site, fetch: Fetch) -> None:
    assert fetch.fails(f"{site.address}/x") == "answers 404 Not Found"
    assert len(site.asked) == 1


def test_a_server_in_trouble_is_asked_again(site: Site, fetch: Fetch) -> None:
    url = site.put("/x", web.status(503), web.status(502), web.content(DATA))
    assert fetch(url) == DATA
    assert "503" in fetch.fails(site.put("/y", web.status(503)), TransientError, Pinned("0" * 64, 1))
    assert site.times("/y") == 3


def test_a_login_page_is_told_from_its_size_without_reading_it(site: Site, fetch: Fetch) -> None:
    fetch.partial.write_bytes(DATA[:5000])
    url = site.put("/x", web.content(b"<html>", kind="text/html; charset=utf-8", ranges=False))
    assert "another file (a web page: a login, an error?)" in fetch.fails(url)
    assert fetch.left == DATA[:5000]


def test_a_login_page_is_told_where_no_size_is_recorded(site: Site, fetch: Fetch) -> None:
    url = site.put("/x", web.content(b"<html>", kind="text/html"))
    assert "a web page" in fetch.fails(url, WrongContentError, UNSIZED)
    assert fetch.left == b""


@pytest.mark.parametrize("pinned", [PINNED, UNSIZED], ids=["sized", "unsized"])
def test_a_wrong_file_is_told_with_its_hash_and_not_kept(site: Site, fetch: Fetch, pinned: Pinned) -> None:
    wrong = b"?" * len(DATA)
    told = fetch.fails(site.put("/x", web.content(wrong)), WrongContentError, pinned)
    assert hashlib.sha256(wrong).hexdigest() in told
    assert fetch.left == b""
    assert len(site.asked) == 1


def test_an_endless_answer_ends_at_the_recorded_size(site: Site, fetch: Fetch, listener: Listener) -> None:
    told = fetch.fails(site.put("/x", web.endless(b"x" * 1000)))
    assert f"of more than {len(DATA)} bytes" in told
    assert listener.count <= len(DATA)
    assert fetch.left == b""


def test_a_body_is_never_decompressed(site: Site, fetch: Fetch, listener: Listener) -> None:
    bomb = gzip.compress(bytes(10_000_000))
    pinned = Pinned(hashlib.sha256(bomb).hexdigest(), len(bomb))
    assert fetch(site.put("/x", web.content(bomb, Content_Encoding="gzip")), pinned) == bomb
    assert listener.count == len(bomb)


def test_a_server_that_stalls_is_given_up_and_what_came_is_kept(site: Site, fetch: Fetch) -> None:
    hasty = Downloader(Patience(connect=5, stall=0.05, pauses=()))
    url = site.put("/x", web.stalled(DATA, 1000))
    assert fetch.fails(url, TransientError, downloader=hasty) == "does not answer in time"
    assert fetch.left == DATA[:1000]


HEAD = b"HTTP/1.1 200 OK\r\n"
CHUNKED = HEAD + b"Transfer-Encoding: chunked\r\n\r\n"
WHOLE = CHUNKED + b"%x\r\n%s\r\n0\r\n" % (len(DATA), DATA)


@pytest.mark.parametrize(
    ("before", "drip"),
    [
        (b"", b"H"),
        (b"HTTP/1.1 200 ", b"O"),
        (HEAD, b"X: y\r\n"),
        (b"", b"HTTP/1.1 100 Continue\r\n\r\n"),
        (CHUNKED, b"0"),
        (CHUNKED + b"5;", b"x"),
        (CHUNKED, b"1\r\nx\r\n"),
        (WHOLE, b"X: y\r\n"),
        (HEAD + b"Content-Length: 256000\r\n\r\n", b"x"),
    ],
    ids=["nothing", "status", "header", "continue", "size", "extension", "chunk", "trailer", "body"],
)
@pytest.mark.parametrize("pinned", [PINNED, UNSIZED], ids=["sized", "unsized"])
def test_a_server_that_drips_is_given_up(
    site: Site, fetch: Fetch, before: bytes, drip: bytes, pinned: Pinned
) -> None:
    hasty = Downloader(Patience(connect=5, stall=0.2, slowest=1 << 30, pauses=()))
    assert fetch.fails(site.put("/x", web.dripping(before, drip)), TransientError, pinned, hasty)


@pytest.mark.parametrize(
    ("before", "flood"),
    [
        (HEAD, b"X: y\r\n"),
        (HEAD, b"x"),
        (b"", b"HTTP/1.1 100 Continue\r\nX: y\r\n\r\n"),
        (CHUNKED, b"0"),
        (CHUNKED + b"5;", b"x"),
        (WHOLE, b"X: y\r\n"),
    ],
    ids=["header", "long header", "continue", "size", "extension", "trailer"],
)
def test_what_is_not_the_file_is_bounded_however_fast_it_comes(
    site: Site, fetch: Fetch, before: bytes, flood: bytes
) -> None:
    once = Downloader(Patience(connect=60, stall=60, pauses=()))
    url = site.put("/x", web.flooding(before, flood * 1000))
    assert fetch.fails(url, TransientError, UNSIZED, once)


def test_the_page_of_an_index_that_drips_is_given_up(site: Site) -> None:
    hasty = Downloader(Patience(connect=5, stall=0.2, slowest=1 << 30, pauses=()))
    site.put("/simple/x/", web.dripping(HEAD, b"X: y\r\n"))
    origin = PypiOrigin(pypi="x", file="x-1.tar.gz", sha256="0" * 64)
    place = f"{site.address}/simple"
    with pytest.raises(TransientError):
        pypi.locate(origin, place, Pip(indexes=(place,)), hasty)


@pytest.mark.parametrize("length", ["9" * 5000, "²", "-1", "0x10"])
def test_a_length_that_is_not_a_number_of_bytes_is_ignored(site: Site, fetch: Fetch, length: str) -> None:
    head = HEAD + f"Content-Length: {length}\r\n\r\n".encode()
    assert fetch(site.put("/x", web.raw(head + DATA))) == DATA


def test_a_server_that_only_trickles_is_given_up(site: Site, fetch: Fetch) -> None:
    demanding = Downloader(Patience(connect=5, stall=0.05, slowest=1 << 50, pauses=()))
    told = fetch.fails(site.put("/x", web.endless(b"x")), TransientError, Pinned("0" * 64), demanding)
    # The second where this machine is so busy that the first byte alone takes longer than `stall`.
    assert told.startswith(("stalls: ", "does not answer in time"))


def test_a_server_that_is_down_is_told_in_three_words(fetch: Fetch) -> None:
    with web.closed_port() as address:
        assert fetch.fails(f"{address}/secret?token=1", TransientError) == "cannot be reached"


def test_redirects_are_followed_also_for_the_rest_of_a_file(site: Site, fetch: Fetch) -> None:
    site.put("/real", web.cut(DATA, 1000), web.content(DATA))
    assert fetch(site.put("/x", web.redirect("real"))) == DATA
    assert site.asked[-2:] == [("/x", "bytes=1000-"), ("/real", "bytes=1000-")]


def test_a_redirect_loop_ends(site: Site, fetch: Fetch) -> None:
    url = site.put("/x", web.redirect("/x"))
    assert fetch.fails(url) == "redirects more than 8 times"
    assert len(site.asked) == 9


def test_the_body_of_a_redirect_is_not_read(site: Site, fetch: Fetch) -> None:
    def endless(request: web.Request) -> None:
        request.start(302, {"Location": "/y"})
        while not request.site.over.is_set():
            request.wfile.write(b"x" * 1000)

    site.put("/y", web.content(DATA))
    assert fetch(site.put("/x", endless)) == DATA


@pytest.mark.parametrize(
    ("location", "reason"),
    [
        ("file:///etc/passwd", "redirects to file:, which is not followed"),
        ("ftp://127.0.0.1/x", "redirects to ftp:, which is not followed"),
        ("http://[bad/x", "leads to something that is not a URL"),
        ("http://127.0.0.1:99999/x", "leads to something that is not a URL"),
        ("http://:80/x", "leads to something that is not a URL"),
    ],
)
def test_a_redirect_to_somewhere_odd_is_not_followed(
    site: Site, fetch: Fetch, location: str, reason: str
) -> None:
    assert fetch.fails(site.put("/x", web.redirect(location))) == reason


def test_a_redirect_from_https_to_http_is_not_followed(site: Site, fetch: Fetch, self_signed: Path) -> None:
    plain = site.put("/x", web.content(DATA))
    with Site(self_signed) as safe:
        url = safe.put("/x", web.redirect(plain))
        told = fetch.fails(url, downloader=Downloader(QUICK.patience, lambda _: trusting(self_signed)))
    assert told == "redirects from https to http, which is not followed"
    assert site.asked == []


def test_a_certificate_that_nobody_signed_is_not_trusted(fetch: Fetch, self_signed: Path) -> None:
    with Site(self_signed) as safe:
        url = safe.put("/x", web.content(DATA))
        assert "TLS certificate that is not trusted" in fetch.fails(url)
        assert safe.asked == []
        assert fetch(url, downloader=Downloader(QUICK.patience, lambda _: trusting(self_signed))) == DATA


def trusting(certificate: Path) -> Session:
    session = Session()
    session.verify = str(certificate)
    return session


@pytest.mark.parametrize(
    "reply",
    [
        b"not http at all\r\n\r\n",
        b"HTTP/1.1 200 OK\r\n" + b"X: y\r\n" * 200 + b"\r\n",
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n",
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhel",
        b"HTTP/1.1 200 OK\r\nContent-Length: many\r\n\r\n",
        b"HTTP/1.1 302 Found\r\nContent-Length: 0\r\n\r\n",
        b"",
    ],
)
def test_what_is_no_sound_http_is_an_origins_failure(site: Site, fetch: Fetch, reply: bytes) -> None:
    assert fetch.fails(site.put("/x", web.raw(reply)), pinned=UNSIZED)


def test_a_login_goes_to_its_own_site_and_not_along_a_redirect(site: Site, fetch: Fetch) -> None:
    with Site() as other:
        site.put("/x", web.redirect(other.put("/y", web.content(DATA))))
        written = site.address.replace("://", "://me:a%2Fsecret@") + "/x"

        def session(patience: Patience) -> Session:
            session = Session(patience)
            session.auth = Logins.of([written])
            return session

        assert fetch(without_login(written), downloader=Downloader(QUICK.patience, session)) == DATA
        assert site.headers[0]["Authorization"] == requests.auth._basic_auth_str("me", "a/secret")
        assert "Authorization" not in other.headers[0]


def test_a_download_that_is_stopped_ends_and_keeps_what_came(site: Site, fetch: Fetch) -> None:
    stopped = threading.Event()
    stopped.set()
    downloader = Downloader(QUICK.patience, stopped=stopped)
    fetch.partial.write_bytes(DATA[:5000])
    assert fetch.fails(site.put("/x", web.content(DATA)), downloader=downloader) == "was stopped"
    assert fetch.left == DATA[:5000]


def test_a_shorter_file_than_the_half_that_is_here_does_not_cost_that_half(site: Site, fetch: Fetch) -> None:
    fetch.partial.write_bytes(DATA[:5000])
    assert "shorter" in fetch.fails(site.put("/x", web.content(b"short")))
    assert fetch.left == DATA[:5000]


@pytest.mark.parametrize("login", ["me@", "me:pw@", "me:p@w@", "%40:?#@", ""])
def test_a_text_is_shown_without_the_logins_in_it(login: str) -> None:
    shown = without_login(f"see https://{login}h:8/p?q=a@b and http://{login}h/")
    assert shown == "see https://h:8/p?q=a@b and http://h/"


def test_the_host_of_a_url_is_told() -> None:
    assert host("https://me:pw@Example.org:8443/x") == "example.org"


def test_what_is_taken_of_a_file_that_no_hash_pins_is_of_one_whole_attempt(site: Site) -> None:
    url = site.put("/x", web.cut(DATA, 1000), web.status(503), web.content(DATA))
    begun: list[bytes] = []

    def take(blocks: Iterator[bytes]) -> bytes:
        begun.append(b"")
        for block in blocks:
            begun[-1] += block
        return begun[-1]

    assert QUICK.taken(url, take) == DATA
    assert begun[0] == DATA[:1000] and len(begun) == 2


def test_what_no_hash_pins_is_bounded_in_size_and_in_time_and_known_where_it_is_not_there(site: Site) -> None:
    def take(path: str, answer: web.Answer, downloader: Downloader = QUICK) -> bytes:
        return downloader.taken(site.put(path, answer), lambda blocks: whole(blocks, 1000))

    for code in (404, 410):
        with pytest.raises(AbsentError):
            take("/none", web.status(code))
    with pytest.raises(OriginError, match="has more than 1000 bytes"):
        take("/endless", web.endless(b"x" * 100))
    with pytest.raises(OriginError, match="does not answer in time"):
        slow = web.dripping(b"HTTP/1.1 200 OK\r\n\r\n", b"x")
        take("/slow", slow, Downloader(Patience(stall=0.2, slowest=100_000, pauses=())))


def test_a_login_of_any_letters_is_sent(site: Site, fetch: Fetch) -> None:
    written = site.put("/x", web.content(DATA)).replace("://", "://m%C3%A9:%E6%97%A5%FF@")

    def session(patience: Patience) -> Session:
        session = Session(patience)
        session.auth = Logins.of([written])
        return session

    assert fetch(without_login(written), downloader=Downloader(QUICK.patience, session)) == DATA
    sent = base64.b64decode(site.headers[0]["Authorization"].removeprefix("Basic "))
    assert sent.decode() == "mé:日\ufffd"
