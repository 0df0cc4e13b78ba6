from __future__ import annotations

from pathlib import Path

import pytest

from kiln.attest import begin


def test_a_rebuild_with_the_same_variations_goes_on_with_what_its_earlier_runs_left(tmp_path: Path) -> None:
    folder = tmp_path / "verify" / "key"
    first = begin(folder, ("paths", "clock"))
    assert (first.runs, first.seconds) == (0, 0.0)
    (folder / "cache").write_text("made")
    first.after(2.5).write(folder)
    second = begin(folder, ("paths", "clock"))
    second.after(1.0).write(folder)
    third = begin(folder, ("paths", "clock"))
    assert (third.begun, third.runs, third.seconds) == (first.begun, 2, 3.5)
    assert (folder / "cache").exists()


def test_a_rebuild_with_other_variations_begins_in_an_empty_folder(tmp_path: Path) -> None:
    folder = tmp_path / "key"
    begin(folder, ("paths",)).after(2.5).write(folder)
    (folder / "cache").write_text("made")
    state = begin(folder, ("paths", "clock"))
    assert (state.chosen, state.runs) == (("paths", "clock"), 0)
    assert not (folder / "cache").exists()


@pytest.mark.parametrize("text", ["", "[]", "{}", '{"chosen": ["paths"], "begun": "x", "other": 1}', "\xff"])
def test_a_folder_whose_state_cannot_be_read_is_begun_anew(tmp_path: Path, text: str) -> None:
    (tmp_path / "state.json").write_text(text, encoding="latin-1")
    (tmp_path / "cache").write_text("made")
    assert begin(tmp_path, ("paths",)).runs == 0
    assert not (tmp_path / "cache").exists()
