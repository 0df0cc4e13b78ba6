"""Obtains one file in a process of its own, and says each step: `obtain.py VAULT URL SHA256 SIZE`."""

from __future__ import annotations

import sys
from pathlib import Path

from kiln.core.errors import SourceError
from kiln.recipe.source import Source, UrlOrigin
from kiln.sources import fetch
from kiln.sources.settings import FetchSettings, Patience
from kiln.sources.vault import Vault
from tests.support.web import Listener


def say(word: str, what: object) -> None:
    sys.stdout.write(f"{word} {what}\n")
    sys.stdout.flush()


class Speaker(Listener):
    def advance(self, name: str, amount: int) -> None:
        super().advance(name, amount)
        say("has", self.count)

    def note(self, text: str) -> None:
        say("note", text)


def main(vault: str, url: str, sha256: str, size: str) -> None:
    source = Source("file", (UrlOrigin(url, sha256, int(size)),))
    settings = FetchSettings(patience=Patience(connect=60, stall=60, pauses=()))
    try:
        (obtained,) = fetch.obtain([source], Vault(Path(vault)), settings, Speaker())
    except SourceError as error:
        say("failed", str(error).splitlines()[0])
    else:
        say("obtained", obtained.path.name)


if __name__ == "__main__":
    main(*sys.argv[1:])
