"""The status of a plan's sources: what is in the vault, where it came from, and what could supply the rest."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from kiln.core import without_login
from kiln.recipe import DebianOrigin, Source
from kiln.sources import certificates, debian, fetch, trees
from kiln.sources.candidates import Candidate
from kiln.sources.errors import OriginError
from kiln.sources.pinned import Pinned
from kiln.sources.settings import FetchSettings, fallbacks
from kiln.sources.vault import Vault

if TYPE_CHECKING:
    from kiln.sources.download import Downloader

# How many URLs are asked at once: a question is cheap for both sides, a download is not.
QUESTIONS = 16


@dataclass(frozen=True)
class Answer:
    """Whether one URL has its file: `reason` is empty, or says why not.

    An `own` one is the first place of an origin; the others are asked where that does not have the file.
    """

    url: str
    reason: str = ""
    own: bool = True


@dataclass(frozen=True)
class SourceStatus:
    """One source: its file in the vault and where that came from, or what could supply it.

    `size` in bytes is the file's, for a missing one the recorded size; `answers` are those of the source's own
    URLs, and of the fallbacks of dead ones, where they were asked.
    """

    source: Source
    path: Path | None
    origin: str
    size: int | None
    supply: tuple[Candidate, ...]
    answers: tuple[Answer, ...] = ()

    @property
    def dead(self) -> tuple[Answer, ...]:
        """The source's own URLs that do not have the file."""
        return tuple(answer for answer in self.answers if answer.reason and answer.own)

    def to_json(self) -> dict[str, Any]:
        """The value for programs."""
        return {
            "name": self.source.name,
            "file": self.source.file,
            "use": self.source.use,
            "digest": self.source.digest,
            "state": "have" if self.path else "missing",
            "path": str(self.path) if self.path else None,
            "from": self.origin or None,
            "size": self.size,
            "supply": [candidate.text for candidate in self.supply],
            "answers": [
                {"url": answer.url, "reason": answer.reason or None, "own": answer.own}
                for answer in self.answers
            ],
        }


def survey(
    wanted: Sequence[Source], vault: Vault, settings: FetchSettings, ask: bool = False
) -> tuple[SourceStatus, ...]:
    """The status of every source; with `ask`, every URL is asked whether it has its file.

    Files of the vault are verified, as always when they are read. Nothing is fetched.
    """
    found = fetch.each(lambda source: _found(source, vault), wanted, settings.parallel)
    missing = [source for source, path in zip(wanted, found) if path is None]
    supplies = iter(fetch.supplies(missing, vault, settings))
    answers: list[tuple[Answer, ...]] = [() for _ in wanted]
    if ask:
        from kiln.sources.download import Downloader

        certificates.require(settings.environment)
        downloader = Downloader(settings.patience)
        archives = debian.mirrors(settings.environment)
        answers = fetch.each(lambda source: _asked(source, settings, archives, downloader), wanted, QUESTIONS)
    return tuple(
        SourceStatus(
            source=source,
            path=path,
            origin=(vault.origin_of(path.name) or "") if path else "",
            size=path.stat().st_size if path else _recorded_size(source),
            supply=() if path else tuple(next(supplies)),
            answers=given,
        )
        for source, path, given in zip(wanted, found, answers)
    )


def _recorded_size(source: Source) -> int | None:
    return next((origin.size for origin in source.origins if origin.size is not None), None)


def _found(source: Source, vault: Vault) -> Path | None:
    if source.tree and not source.prepare:
        path = vault.packed(source.tree, trees.packed_kind(source))
        if path:
            return path
    hashes = [*([source.sha256] if source.sha256 else []), *(origin.sha256 for origin in source.origins)]
    return next(filter(None, (vault.get(sha256) for sha256 in hashes)), None)


def _asked(
    source: Source, settings: FetchSettings, archives: Sequence[str], downloader: Downloader
) -> tuple[Answer, ...]:
    """What the places of a source say: of each origin the first, and the others until one has the file."""
    answers: list[Answer] = []
    for origin in source.origins:
        places: Sequence[str] = ()
        if isinstance(origin, DebianOrigin):
            places = debian.urls(origin, archives, settings.environment)
        elif origin.url:
            places = (origin.url, *fallbacks(origin, settings))
        pinned = Pinned(origin.sha256, origin.size)
        for number, place in enumerate(each for each in places if "://" in each):
            answers.append(Answer(without_login(place), _reason(place, pinned, downloader), number == 0))
            if not answers[-1].reason:
                break
    return tuple(answers)


def _reason(url: str, pinned: Pinned, downloader: Downloader) -> str:
    """Why a URL does not have its file; empty where it has it."""
    try:
        downloader.patiently(lambda: _question(url, pinned, downloader))
    except OriginError as error:
        return str(error)
    return ""


def _question(url: str, pinned: Pinned, downloader: Downloader) -> None:
    """Whether a URL has a file of the right size; OriginError with the reason where it does not say so."""
    try:
        _head("HEAD", url, pinned, downloader)
    except OriginError:
        # Not every server answers to HEAD; a GET is left as soon as its head is here.
        _head("GET", url, pinned, downloader)


def _head(method: str, url: str, pinned: Pinned, downloader: Downloader) -> None:
    from kiln.sources.http import content_length, raise_for_status

    with (
        downloader.session(downloader.patience) as session,
        downloader.answer(session, url, {}, method) as response,
    ):
        raise_for_status(response)
        length = content_length(response)
        if pinned.size is not None and length is not None and length != pinned.size:
            raise OriginError(f"has another file, of {length} bytes and not {pinned.size}")
