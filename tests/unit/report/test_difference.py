from __future__ import annotations

import json
import re
from html.parser import HTMLParser
from pathlib import Path

import pytest

from kiln import report
from kiln.commands import compare
from kiln.core import Console, UsageError, sha256_of
from kiln.recipe import Catalogue
from kiln.report.difference import plain
from tests.support import wheels

OTHER_TESTS = (
    '<testsuite><testcase classname="test_toy" name="test_toy"><skipped message="not now"/></testcase>'
    '<testcase classname="test_toy" name="test_new"/></testsuite>'
)


@pytest.fixture(scope="module")
def builds(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    """The toy, and a variant of it with one source more, other tests and another speed."""
    one = wheels.result(tmp_path_factory.mktemp("one"))
    other = wheels.result(
        tmp_path_factory.mktemp("other"), options={"fast": False}, says="'a longer text'", smoke=OTHER_TESTS
    )
    for folder, time in ((one, 3.0), (other, 1.5)):
        speed = {"versions": ["1.0"], "rows": [{"name": "add", "wheel": time}]}
        (folder / "speed.json").write_text(json.dumps(speed))
        lines = [line for line in (folder / "SHA256SUMS").read_text().splitlines() if "speed" not in line]
        lines.append(f"{sha256_of(folder / 'speed.json')}  speed.json")
        (folder / "SHA256SUMS").write_text("\n".join(lines) + "\n")
    return one, other


def test_what_differs_between_two_builds_is_found(builds: tuple[Path, Path]) -> None:
    found = report.compared(*builds)
    about = {row.name: (row.one, row.other) for row in found.about}
    assert about["--fast"] == ("True", "False") and "--parts" not in about and "base" not in about
    assert [(row.name, row.one) for row in found.sources] == [("extra (input)", "")]
    assert found.packages == found.patches == ()
    assert {row.name: row.change > 0 for row in found.files}["toy.py"]
    endings = {row.name: (row.one, row.other) for row in found.endings}
    assert endings == {"toy (test_toy)": ("passed", "skipped"), "new (test_toy)": ("", "passed")}
    assert [(row.name, row.ratio) for row in found.speed] == [("add", 2.0)]
    assert not found.same


def test_a_build_does_not_differ_from_itself(builds: tuple[Path, Path]) -> None:
    found = report.compared(builds[0], builds[0])
    assert found.same
    for rows in (
        found.about, found.packages, found.sources, found.patches, found.files, found.sections, found.symbols,
        found.tests, found.endings, found.times,
    ):  # fmt: skip
        assert rows == ()
    assert "the two wheels have the same bytes" in report.compare_page(found)


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("cv2/cv2.cpython-37m-x86_64-linux-gnu.so", "cv2/cv2.cpython-311-x86_64-linux-gnu.so"),
        ("toy.libs/libtbb-1a2b3c4d.so.2", "toy.libs/libtbb-9f8e7d6c.so.2"),
        ("a/b.abi3.so", "a/b.so"),
    ],
)
def test_the_same_library_of_two_builds_has_one_name(one: str, other: str) -> None:
    assert plain(one) == plain(other)
    assert plain("libtensorflow_framework.so.1") == "libtensorflow_framework.so.1"


def test_a_comparison_is_printed_and_written_as_a_page(
    builds: tuple[Path, Path], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    html = tmp_path / "compared.html"
    names = [str(each) for each in builds]
    compare.run(Catalogue(tmp_path), names[0], names[1], str(html), Console())
    printed = capsys.readouterr().out
    assert re.search(r"--fast +True +False", printed) and re.search(r"add +3 +1\.5 +2\.00", printed)
    tags: list[str] = []
    parser = HTMLParser()
    parser.handle_starttag = lambda tag, _: tags.append(tag)  # type: ignore[method-assign,assignment]
    parser.feed(html.read_text())
    assert "table" in tags and not {"script", "link", "img"} & set(tags)
    with pytest.raises(UsageError, match="cannot be written"):
        compare.run(Catalogue(tmp_path), names[0], names[1], str(tmp_path / "none" / "x.html"), Console())
