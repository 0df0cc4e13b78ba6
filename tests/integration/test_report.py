"""The report of a build on the real container engine: in its record, made again, and shown without a browser."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

from kiln.build import read_measured
from tests.support.house import House


def test_a_build_has_a_report_of_what_was_measured_which_is_made_again_as_it_was(
    built: House, tmp_path: Path
) -> None:
    wheel = built.wheel()
    page, sums = wheel.with_name("report.html"), wheel.with_name("SHA256SUMS")
    measured = read_measured(wheel.with_name("measured.json").read_text())
    assert measured
    assert [each.name for each in measured.stations] == [
        "plan", "sources", "toolchain", "compile", "wheel", "smoke",
    ]  # fmt: skip
    assert [each.name for each in measured.steps] == ["python", "compile", "repair", "inspect", "smoke"]
    assert all(bool(each.usage) != bool(each.why) for each in measured.steps)
    text = page.read_text()
    assert "toy 1.0+1" in text and "Timeline of the build" in text and "Treemap of the wheel" in text
    assert str(built.root) not in text and str(built.home) not in text

    before = sums.read_bytes()
    done = built.run("report")
    assert done.returncode == 0 and done.stdout.strip().endswith("report.html"), done.stderr
    assert sums.read_bytes() == before and page.read_text() == text
    assert built.run("build", "toy").returncode == 0 and sums.read_bytes() == before

    # As a build is that was recorded before there were reports.
    old = Path(shutil.copytree(wheel.parent, tmp_path / "old"))
    for name in ("report.html", "measured.json"):
        (old / name).unlink()
    lines = [
        line
        for line in before.decode().splitlines(True)
        if line.split()[1] not in (page.name, "measured.json")
    ]
    (old / "SHA256SUMS").write_text("".join(lines))
    done = built.run("report", str(old))
    assert done.returncode == 0 and "no measurements" in (old / "report.html").read_text(), done.stderr
    for folder in (old, wheel.parent):
        checked = built.run("check", str(folder), "--json")
        assert checked.returncode == 0, checked.stderr
        assert {each["holds"] for each in json.loads(checked.stdout)[0]["claims"]} == {True, None}


def test_what_is_no_build_has_no_report(built: House) -> None:
    done = built.run("report", str(built.root / "tasks.py"))
    assert done.returncode == 2 and "is not a finished build: name a folder under dist/" in done.stderr
