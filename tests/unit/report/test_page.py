from __future__ import annotations

import json
import shlex
import shutil
from dataclasses import replace
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import pytest

from kiln import report
from kiln.build import Measured, Record, Span, record
from kiln.build.measured import Step, Tool
from kiln.commands import report as command
from kiln.core import Console, Home, SourceError, UsageError
from kiln.report.facts import facts
from kiln.report.page import commands, words
from kiln.smoke import read_results
from tests.support import wheels

LOG = """\
== compile: compile (scripts/compile.sh)
/kiln/trees/toy/toy.c:1:1: warning: unused variable ‘x’ [-Wunused-variable]
Cacheable calls:    895 /   895 (100.0%)
  Hits:             600 /   895 (67.00%)
== compile ended with status 0
"""
MEASURED = Measured(
    {"cores": "2"},
    (Span("compile", 1, 90), Span("smoke", 91, 9)),
    (
        Step("compile", "compile", 1, 90, ((0, 0, 1), (10, 15, 2000), (30, 55, 500))),
        Step("smoke", "smoke", 91, 9, (), "it ended before anything could be read"),
    ),
    Tool("ninja", 2, 50, (Span("src/toy.c.o", 20, 40),)),
)
SPEED = {"versions": ["1.0"], "rows": [{"name": "add", "wheel": 1.0, "numpy": 2.5}]}
REPRODUCED = {
    "ended": "2026-01-01T00:00:00Z", "seconds": 61.0, "varied": ["paths", "jobs"], "not_varied": {"engine": "only one"},
    "usual": {"engine": "Podman", "home": "/home/somebody"}, "rebuild": {"engine": "Docker"},
}  # fmt: skip


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A record with everything that a report is about."""
    folder = wheels.result(tmp_path_factory.mktemp("result"), options={"fast": False})
    (folder / "build.log").write_text(LOG)
    (folder / "measured.json").write_text(MEASURED.to_json())
    (folder / "speed.json").write_text(json.dumps(SPEED))
    reproduced = {**REPRODUCED, "sha256": facts(folder).sha256}
    (folder / "reproduced.json").write_text(json.dumps(reproduced))
    plan = json.loads((folder / "plan.json").read_text())
    plan["inputs"]["patches"] = [{"path": "patches/toy/0001-fix.patch", "sha256": "a" * 64, "tree": "toy"}]
    plan["patches"] = [
        {"file": "0001-fix.patch", "tree": "toy", "why": "it is broken", "upstream": "https://up.example/1"}
    ]
    (folder / "plan.json").write_text(json.dumps(plan))
    return folder


@pytest.fixture
def folder(whole: Path, tmp_path: Path) -> Path:
    """A copy, to change."""
    return Path(shutil.copytree(whole, tmp_path / "record"))


class Elements(HTMLParser):
    """The tags of a page with their attributes, and its texts."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.texts: list[str] = []
        self.feed(page)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))

    def handle_data(self, data: str) -> None:
        self.texts.append(data)

    @property
    def text(self) -> str:
        return " ".join(" ".join(self.texts).split())


def test_a_report_says_what_is_known_of_a_build(whole: Path) -> None:
    page = Elements(report.page(whole))
    for part in (
        "toy 1.0+nofast", "1 tests passed", "built again, with the same bytes", "0001-fix.patch", "it is broken",
        "https://up.example/1", "toy.example/toy-1.0.tar.gz", "compiled into the wheel", "packages in the image",
        "cores busy",
        "memory up to 2.00 GB", "The 1 longest of 2 actions of ninja", "src/toy.c.o", "600", "67.0 %", "-Wunused-variable",
        "unused variable ‘x’", "toy.py", "add", "2.50", "not varied: engine", "Docker, Podman", "SLSA", "1" * 40,
        "Not measured: it ended before anything could be read.",
    ):  # fmt: skip
        assert part in page.text, part
    assert "/home/somebody" not in page.text


def test_a_report_needs_no_other_file_and_no_program(whole: Path) -> None:
    for tag, attributes in Elements(report.page(whole)).tags:
        assert tag not in ("script", "link", "img", "iframe", "object", "embed", "image", "use")
        assert not [name for name in attributes if name.startswith("on") or name == "src"]


def test_a_report_can_be_read_without_a_picture_and_with_the_keyboard(whole: Path) -> None:
    tags = Elements(report.page(whole)).tags
    ids = [attributes["id"] for _, attributes in tags if "id" in attributes]
    assert len(ids) == len(set(ids))
    pictures = [attributes for tag, attributes in tags if tag == "svg"]
    assert len(pictures) == 2 and all(each["role"] == "img" for each in pictures)
    for attributes in pictures:
        assert set(str(attributes["aria-labelledby"]).split()) <= set(ids)
    links = [str(attributes["href"]) for tag, attributes in tags if tag == "a"]
    assert {each[1:] for each in links if each.startswith("#")} <= set(ids)
    # What can be scrolled can be reached.
    wide = [attributes for _, attributes in tags if "wide" in str(attributes.get("class")).split()]
    assert wide and all(each["tabindex"] == "0" and each["aria-label"] for each in wide)
    assert [tag for tag, _ in tags if tag in ("header", "main", "footer", "nav")] == [
        "header", "nav", "main", "footer",
    ]  # fmt: skip


def test_the_same_record_gives_the_same_page_wherever_it_is(whole: Path, folder: Path) -> None:
    assert report.page(whole) == report.page(folder)


HOSTILE = "\"><script>alert(1)</script><b onx='y'>{{ 7*7 }}\x1b[31m\x00\u202e https://me:hunter2@x.example/?token=hunter3"


def poisoned(value: Any) -> Any:
    """A value of JSON with a hostile text behind each of its texts, but for those that say what a value is."""
    if isinstance(value, dict):
        keys = ("kind", "use", "predicateType", "buildType")
        return {name: each if name in keys else poisoned(each) for name, each in value.items()}
    if isinstance(value, list):
        return [poisoned(each) for each in value]
    return value + HOSTILE if isinstance(value, str) else value


def test_hostile_texts_are_shown_as_text_and_without_secrets(folder: Path) -> None:
    for name in ("plan.json", "provenance.intoto.jsonl", "measured.json", "speed.json"):
        text = json.dumps(poisoned(json.loads((folder / name).read_text())))
        (folder / name).write_text(text)
    value = json.loads((folder / "reproduced.json").read_text())
    (folder / "reproduced.json").write_text(json.dumps({**poisoned(value), "sha256": value["sha256"]}))
    sbom = {"components": [{"name": HOSTILE, "version": HOSTILE, "licenses": [{"expression": HOSTILE}]}]}
    (folder / "sbom.cdx.json").write_text(json.dumps(sbom))
    (folder / "build.log").write_text(LOG.replace("unused", HOSTILE).replace("toy.c:", f"{HOSTILE[:20]}:"))
    escaped = HOSTILE.translate({0: None, 27: None, 60: "&lt;", 62: "&gt;", 34: "&quot;"})
    (folder / "smoke.xml").write_text(
        f'<testsuite><testcase classname="{escaped}" name="{escaped}"><failure message="{escaped}"/></testcase></testsuite>'
    )
    page = report.page(folder)
    found = Elements(page)
    assert "script" not in {tag for tag, _ in found.tags}
    assert not [
        attributes for _, attributes in found.tags if any(name.startswith("on") for name in attributes)
    ]
    assert found.text.count("<script>alert(1)</script>") > 20
    assert "{{ 7*7 }}" in found.text
    for secret in ("hunter2", "hunter3", "\x1b", "\x00", "\u202e"):
        assert secret not in page
    links = {str(attributes["href"]) for tag, attributes in found.tags if tag == "a"}
    assert all(link.startswith(("#", "https://", "http://")) or "/" not in link for link in links)


@pytest.mark.parametrize("content", [b'{"predicate": 3}', b"\xff\xfe", None])
@pytest.mark.parametrize(
    "name",
    ["provenance.intoto.jsonl", "measured.json", "speed.json", "smoke.xml", "reproduced.json", "build.log"],
)
def test_a_file_that_cannot_be_read_is_said_to_be_missing(
    folder: Path, name: str, content: bytes | None
) -> None:
    (folder / name).write_bytes(content) if content is not None else (folder / name).unlink()
    text = Elements(report.page(folder)).text
    missing = {
        "provenance.intoto.jsonl": "This record has no provenance",
        "measured.json": "This record has no measurements",
        "smoke.xml": "no readable test report",
        "speed.json": "Tests on the finished wheel",
        "reproduced.json": "not built again yet",
        "build.log": "The build's log has no sums of a cache.",
    }[name]
    assert missing in text


def test_a_rebuild_of_another_wheel_is_not_this_one(folder: Path) -> None:
    (folder / "reproduced.json").write_text(json.dumps({**REPRODUCED, "sha256": "0" * 64}))
    assert "not built again yet" in report.page(folder)


def test_a_folder_without_a_record_has_no_report(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="holds no finished build"):
        report.page(tmp_path)


def test_commands_name_what_differs_from_the_recipes_own_choice(whole: Path) -> None:
    about = facts(whole)
    assert list(words(about)) == [
        "toy/1.0", "--device=cpu", "--base=bookworm", "--python=3.11", "--cpu-features=sse4.2",
        "--glibc=native", "--no-fast",
    ]  # fmt: skip
    own = replace(about, plan=replace(about.plan, kind="prefix", folder=f"{about.plan.folder}+tree-hash"))
    assert {"--python-prefix=PREFIX", "--accept-tree-hash"} <= set(words(own))
    texts = {each.what: each.text for each in commands(about)}
    assert any(text.startswith("./inv rebuild") for text in texts.values())
    changed = replace(about, commit=replace(about.commit, clean=False))
    assert not any("./inv rebuild" in each.text for each in commands(changed))
    assert texts["Build it"].startswith(f"git checkout {'1' * 40}\n./inv build toy/1.0")
    assert shlex.split(texts["Install it"]) == ["pip", "install", f"./{about.wheel.name}"]


# In the record


@pytest.fixture
def made(tmp_path: Path) -> Record:
    found = record.read(wheels.result(tmp_path))
    assert isinstance(found, Record)
    return found


def written(found: Record, home: Home, tmp_path: Path) -> Path:
    return command.write(found, home, tmp_path / "reports", Console())


def test_a_report_is_part_of_its_record_and_made_again_with_it(made: Record, tmp_path: Path) -> None:
    home = Home.of({"KILN_HOME": str(tmp_path / "home")})
    page = written(made, home, tmp_path)
    assert page == made.folder / "report.html" and "not built again yet" in page.read_text()
    again = record.read(made.folder)
    assert isinstance(again, Record) and again.reports == made.reports
    before = page.stat()
    assert written(again, home, tmp_path).stat().st_ino == before.st_ino
    text = json.dumps({**REPRODUCED, "sha256": facts(made.folder).sha256})
    added = record.add(again, "reproduced.json", text, report.pages_of(again))
    assert "built again, with the same bytes" in (added.folder / "report.html").read_text()
    assert read_results(added.folder).count("passed") == 1


def test_the_home_keeps_the_same_report_as_dist(made: Record, tmp_path: Path) -> None:
    home = Home.of({"KILN_HOME": str(tmp_path / "home")})
    kept = Path(shutil.copytree(made.folder, home.results / made.plan.key))
    written(made, home, tmp_path)
    assert (kept / "SHA256SUMS").read_bytes() == (made.folder / "SHA256SUMS").read_bytes()
    assert isinstance(record.read(kept), Record)


def test_a_signed_record_stays_as_it_is(made: Record, tmp_path: Path) -> None:
    signed = record.add(made, "signatures.dsse.jsonl", "{}\n")
    sums = (signed.folder / "SHA256SUMS").read_bytes()
    page = written(signed, Home.of({"KILN_HOME": str(tmp_path / "home")}), tmp_path)
    assert page.parent == tmp_path / "reports" and page.read_text() == report.page(signed.folder)
    assert (signed.folder / "SHA256SUMS").read_bytes() == sums


def test_a_build_is_named_by_its_wheel_or_its_folder(made: Record, tmp_path: Path) -> None:
    for target in (made.folder, made.wheel):
        assert command.recorded(tmp_path, str(target)) == made
    for target in (tmp_path / "nothing", tmp_path, made.folder / "plan.json"):
        with pytest.raises(UsageError):
            command.recorded(tmp_path, str(target))
    with pytest.raises(UsageError, match="there is no finished wheel"):
        command.recorded(tmp_path, "")
    made.log.write_text("changed")
    with pytest.raises(SourceError, match=r"build\.log is not what was recorded"):
        command.recorded(tmp_path, str(made.folder))
