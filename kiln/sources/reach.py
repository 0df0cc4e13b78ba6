"""Whether this machine reaches what sources come from: its clock, proxies and certificates, indexes and archives."""

from __future__ import annotations

import email.utils
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from kiln.core import Finding, KilnError, without_login
from kiln.sources import certificates, debian
from kiln.sources.errors import OriginError
from kiln.sources.route import proxies
from kiln.sources.settings import FetchSettings, Patience

if TYPE_CHECKING:
    from kiln.sources.http import Session

# A question of a doctor is asked once, and not for long.
QUICK = Patience(connect=5, stall=5, pauses=())
# Seconds that a clock may differ from a server's.
DRIFT = 300
# A small project that each mirror of a package index has: an index's own page may be large, or not there.
PROJECT = "pip"


@dataclass(frozen=True)
class Reply:
    """What a place said: `reason` why it is of no use, or empty, and the time of its clock, in seconds since 1970."""

    reason: str
    time: float | None = None


def findings(settings: FetchSettings, suite: str, now: float, locked: float) -> list[Finding]:
    """The machine's own settings, and whether index and archive answer; with an offline machine these are not asked.

    `suite` is Debian's of the base, `now` what this machine's clock says, `locked` a time that is past, both in seconds
    since 1970.
    """
    environment = settings.environment
    rows = [_proxies(environment), *_certificates(environment)]
    if settings.offline:
        return [*rows, clock(now, locked, None), Finding("network", True, "not asked: offline")]
    if not all(row.good for row in rows):
        return [*rows, clock(now, locked, None), Finding("network", True, "not asked with these settings")]
    times: list[float] = []
    rows += [*_indexes(environment, times), *_archives(environment, suite, times)]
    return [*rows, clock(now, locked, times[0] if times else None)]


def clock(now: float, locked: float, server: float | None) -> Finding:
    """Whether a clock is right: beside that of a server where one answered, and in any case after what is past."""
    right = "set the clock: certificates and signatures are checked by it (`timedatectl set-ntp true`)"
    shown = email.utils.formatdate(now, usegmt=True)
    if now < locked:
        return Finding("clock", False, f"{shown}, before the base's packages were locked", right)
    if server is not None and abs(now - server) > DRIFT:
        return Finding("clock", False, f"{shown}, {abs(now - server):.0f} s beside the servers'", right)
    return Finding("clock", True, shown + ("" if server is not None else ", not compared with a server's"))


def _proxies(environment: Mapping[str, str]) -> Finding:
    given = proxies(environment)
    wrong = [name for name, value in given.items() if name != "NO_PROXY" and not _is_proxy(value)]
    found = ", ".join(f"{name}={without_login(value)}" for name, value in given.items()) or "none"
    return Finding(
        "proxies", not wrong, found, f"write {' and '.join(wrong)} as http://HOST:PORT" if wrong else ""
    )


def _is_proxy(value: str) -> bool:
    try:
        parts = urlsplit(value if "://" in value else f"http://{value}")
        return bool(parts.hostname) and parts.port != 0
    except ValueError:
        return False


def _certificates(environment: Mapping[str, str]) -> Iterator[Finding]:
    named = certificates.named(environment)
    for name, path in named.items():
        problem = certificates.problem_of(path)
        if problem:
            cure = f"name a PEM file with the certificates to trust, or unset {name}"
            yield Finding("certificates", False, f"{name} names {path}, which {problem}", cure)
    if not any(certificates.problem_of(path) for path in named.values()):
        places = ", ".join(dict.fromkeys(map(str, named.values())))
        yield Finding("certificates", True, places or "those that come with the libraries")


def _indexes(environment: Mapping[str, str], times: list[float]) -> Iterator[Finding]:
    from kiln.sources import pypi

    try:
        pip = pypi.configuration(environment)
    except KilnError as error:
        yield Finding("package index", False, error.what, error.cure)
        return
    cure = "check the network, the proxy, and pip's settings (`pip config list`)"
    for place in (each for each in pip.indexes if not pypi.is_local(each)):
        through = f" through pip's proxy {without_login(pip.proxy)}" if pip.proxy else ""
        reply = ask(f"{without_login(place).rstrip('/')}/{PROJECT}/", lambda: pip.session(QUICK))
        yield _row("package index", place, reply, cure, times, through)
    if not pip.indexes:
        yield Finding("package index", True, "none is configured: packages come from folders")


def _archives(environment: Mapping[str, str], suite: str, times: list[float]) -> Iterator[Finding]:
    from kiln.sources.http import Session

    cure = "check the network, the proxy, and apt's sources, or name an archive in KILN_DEBIAN_MIRROR"
    rows = []
    try:
        way = debian.route(environment)
    except KilnError as error:
        yield Finding("Debian's archive", False, error.what, error.cure)
        return
    through = next(
        (f" through apt's proxy {without_login(each)}" for each in way.proxies.values() if each), ""
    )

    def session() -> Session:
        return way.taken_by(Session(QUICK), QUICK)

    for site in debian.mirrors(environment):
        reply = ask(f"{site}/dists/{suite}/InRelease", session)
        rows.append(_row("Debian's archive", site, reply, cure, times, through))
        if rows[-1].good:
            # One that answers is enough: the others are often archives of updates, with other suites.
            yield rows[-1]
            return
    yield from rows or [Finding("Debian's archive", False, "none is configured", cure)]


def _row(what: str, place: str, reply: Reply, cure: str, times: list[float], through: str = "") -> Finding:
    times += [reply.time] if reply.time is not None else []
    shown = without_login(place)
    return Finding(
        what, not reply.reason, f"{shown} {reply.reason or 'answers'}{through}", cure if reply.reason else ""
    )


def ask(url: str, session: Callable[[], Session]) -> Reply:
    """What a URL says to one question; its body is not read."""
    from kiln.sources.download import Downloader
    from kiln.sources.http import raise_for_status

    downloader = Downloader(QUICK)
    try:
        with session() as asking, downloader.answer(asking, url, {}) as response:
            raise_for_status(response)
            return Reply("", _time(response.headers.get("Date", "")))
    except OriginError as error:
        return Reply(str(error))


def _time(date: str) -> float | None:
    try:
        return email.utils.parsedate_to_datetime(date).timestamp()
    except (TypeError, ValueError):
        # A server that does not tell its time.
        return None
