from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from kiln.archive import Wheel
from kiln.core.errors import SmokeError
from kiln.smoke import report, results
from kiln.smoke.results import SmokeResult, Timing
from tests.support.repository import ROOT

XML = """\
<testsuites><testsuite name="pytest" errors="0" failures="1" skipped="2" tests="4" time="1.5">
<properties><property name="python" value="3.7.16"/></properties>
<testcase classname="a.test_sums" name="test_sums_agree[float32]" time="0.5">
  <properties><property name="area" value="Sums"/><property name="largest error" value="1e-7"/></properties></testcase>
<testcase classname="a.test_sums" name="test_sums_are_fast" time="0.1">
  <properties><property name="area" value="Sums"/></properties>
  <skipped type="pytest.skip" message="no &lt;clock&gt;">file:3: Skipped</skipped></testcase>
<testcase classname="a.test_files" name="test_files_are_read" time="0.2">
  <properties><property name="area" value="Files"/></properties>
  <failure message="AssertionError: &lt;script&gt;alert(1)&lt;/script&gt;">long</failure></testcase>
<testcase classname="a.test_files" name="test_more" time="0">
  <skipped message="no &lt;clock&gt;"/></testcase>
</testsuite></testsuites>
"""
LIBRARY = {
    "size": 3000000,
    "newest": {"GLIBC": "2.14"},
    "instructions": {"ymm": 7, "avx2": 5, "fma": 3, "zmm": 0},
}


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "smoke.xml").write_text(XML)
    (tmp_path / "packages.json").write_text('[{"name": "numpy", "version": "1.18.5"}]')
    libraries = {"a/one.so": LIBRARY, "a/two.so": LIBRARY}
    facts = {"libraries": libraries, "disassembler": "objdump 2", "policy": "manylinux_2_17", "unpacked": 5e6}
    (tmp_path / "facts.json").write_text(json.dumps(facts))
    rows = [{"name": "exp", "wheel": 2.0, "numpy": 3.0, "against": 1.0}, {"name": "conv", "wheel": 5.0}]
    (tmp_path / "speed.json").write_text(json.dumps({"versions": ["w 1", "o 2"], "rows": rows}))
    return tmp_path


def test_a_run_is_told_by_area_with_what_was_written_down(folder: Path) -> None:
    found = results.read_results(folder)
    sums, files, rest = found.areas
    assert (sums.name, sums.count("passed"), sums.count("skipped")) == ("Sums", 1, 1)
    assert sums.numbers == {"largest error": "1e-7"}
    assert sums.cases[0].sentence == "sums agree [float32]"
    assert (files.name, files.count("failed")) == ("Files", 1)
    assert rest.name == "a.test_files"
    assert [case.name for case in found.failures] == ["test_files_are_read"]
    assert found.system == {"python": "3.7.16"}
    assert found.packages == (("numpy", "1.18.5"),)
    assert found.instructions == {"ymm": 14, "avx2": 10, "fma": 6, "zmm": 0}
    assert report.summary(found) == "1 failed, 1 passed, 2 skipped"


WHOLE = """\
<testsuites><testsuite name="pytest"><properties><property name="python" value="3.7.16"/>
<property name="area of toy/test_gpus.py" value="On a &lt;GPU&gt;"/></properties>
<testcase classname="" name="toy.test_gpus" file="toy/test_gpus.py" time="0.000"><skipped message="collection skipped"
>('/kiln/smoke/toy/test_gpus.py', 13, 'Skipped: this wheel is for the processor')</skipped></testcase>
<testcase classname="" name="toy.test_other" file="toy/test_other.py" time="0.000"><skipped message="collection skipped"
>('/kiln/smoke/toy/test_other.py', 5, "Skipped: it isn't here")</skipped></testcase>
<testcase classname="" name="toy.test_bad" file="toy/test_bad.py" time="0.000"><error message="collection failure"
>ImportError: no toy</error></testcase>
<testcase classname="toy.test_fine" name="test_it"><properties><property name="area" value="Fine"/></properties></testcase>
</testsuite></testsuites>
"""


def test_files_that_were_skipped_whole_have_a_title_and_their_reason(tmp_path: Path) -> None:
    (tmp_path / "smoke.xml").write_text(WHOLE)
    found = results.read_results(tmp_path)
    assert [(area.name, area.cases[0].why) for area in found.areas] == [
        ("On a <GPU>", "this wheel is for the processor"),
        ("toy/test_other.py", "it isn't here"),
        ("toy/test_bad.py", "ImportError: no toy"),
        ("Fine", ""),
    ]
    assert [case.sentence for case in found.failures] == ["all of toy/test_bad.py"]
    assert found.system == {"python": "3.7.16"}
    text = page(found, tmp_path)
    assert '<span class="title">On a &lt;GPU&gt;</span>' in text and 'class="title"></span>' not in text


def test_the_report_of_a_run_says_the_area_of_a_file_that_was_skipped_whole(tmp_path: Path) -> None:
    suite = tmp_path / "suite"
    suite.mkdir()
    whole = (
        '"""On a GPU: and more.\n\nMore.\n"""\nimport pytest\npytest.skip("none", allow_module_level=True)\n'
    )
    (suite / "test_whole.py").write_text(whole)
    (suite / "test_fine.py").write_text('"""Fine."""\ndef test_it():\n    pass\n')
    common = ROOT / "smoke/common"
    command = [
        sys.executable, "-m", "pytest", "-c", common / "pytest.ini", "--rootdir", tmp_path, "-p", "recording",
        "-p", "no:cacheprovider", suite, f"--junitxml={tmp_path / 'smoke.xml'}",
    ]  # fmt: skip
    subprocess.run(command, env={**os.environ, "PYTHONPATH": str(common)}, check=True, capture_output=True)
    found = results.read_results(tmp_path)
    assert {area.name: area.cases[0].ending for area in found.areas} == {
        "On a GPU: and more": "skipped", "Fine": "passed",
    }  # fmt: skip


def test_a_ratio_is_the_others_time_by_the_wheels() -> None:
    row = Timing("exp", 2.0, 3.0, None)
    assert (row.ratio(row.numpy), row.ratio(row.against)) == (1.5, None)


@pytest.mark.parametrize(
    ("file", "content"),
    [
        ("smoke.xml", "<testsuite"),
        ("smoke.xml", None),
        ("facts.json", "{"),
        ("packages.json", '[{"name": 1}]'),
        ("speed.json", '{"rows": 3, "versions": []}'),
    ],
)
def test_a_report_that_cannot_be_read_is_one_sentence(folder: Path, file: str, content: str | None) -> None:
    (folder / file).unlink()
    if content is not None:
        (folder / file).write_text(content)
    with pytest.raises(SmokeError, match="left no readable report"):
        results.read_results(folder)


def page(found: SmokeResult, folder: Path) -> str:
    wheel = folder / "toy-1.0-py3-none-any.whl"
    wheel.write_bytes(b"wheel")
    about = {"built": "<here>"}
    target = report.write_page(folder / "smoke.html", found, Wheel(wheel, "toy", "1.0", (), ()), about)
    return target.read_text(encoding="utf-8")


def test_the_page_tells_all_of_it_and_needs_no_other_file(folder: Path) -> None:
    text = page(results.read_results(folder), folder)
    for part in (
        "1 failed",
        "sums agree [float32]",
        "largest error",
        "1e-7",
        "numpy",
        "1.18.5",
        "10",
        "1.50",
        "0.50",
    ):
        assert part in text, part
    assert "src=" not in text and "href=" not in text and "url(" not in text and "@import" not in text


def test_what_a_wheel_wrote_is_never_markup(folder: Path) -> None:
    text = page(results.read_results(folder), folder)
    assert "<script" not in text and "&lt;script&gt;alert(1)" in text
    assert "&lt;here&gt;" in text


def test_a_run_without_a_benchmark_or_a_disassembler_has_a_page_too(folder: Path) -> None:
    (folder / "speed.json").unlink()
    facts = json.loads((folder / "facts.json").read_text())
    facts["disassembler"] = None
    for library in facts["libraries"].values():
        library["instructions"] = None
    (folder / "facts.json").write_text(json.dumps(facts))
    found = results.read_results(folder)
    assert found.instructions is None
    text = page(found, folder)
    assert "Without objdump no instructions were counted" in text and "<h2>Speed" not in text
