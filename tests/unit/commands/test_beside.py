from __future__ import annotations

import threading

import pytest

from kiln.commands import beside
from kiln.core import Console, SourceError


def test_work_goes_on_beside_and_its_notes_are_shown(capsys: pytest.CaptureFixture[str]) -> None:
    console, other = Console(), threading.Event()

    def work(quiet: Console) -> int:
        assert other.wait(60)
        quiet.note("an image is made")
        with quiet.status("this row is not shown") as line, quiet.transfers() as transfers:
            line("nor this line")
            transfers.begin("nor this file", 5)
            transfers.end("nor this file")
        return 7

    result = beside.begun(work, console)
    other.set()
    assert result() == 7
    assert capsys.readouterr().err == "• an image is made\n"


def test_what_it_raises_is_raised_where_its_result_is_wanted() -> None:
    def work(quiet: Console) -> None:
        raise SourceError("a package is not available", "go online")

    result = beside.begun(work, Console())
    with pytest.raises(SourceError, match="a package is not available"):
        result()
