"""The page of an index for people, and what feeds say is new."""

from __future__ import annotations

import base64
import hashlib
import json
import re
import xml.etree.ElementTree as ElementTree
from dataclasses import replace
from html.parser import HTMLParser
from pathlib import Path

import pytest

from kiln.build import Record, record
from kiln.commands.index import Wheelhouse, update_index
from kiln.core import Console, Home, UsageError
from kiln.index import feeds, pages, wheelhouse
from kiln.index import folder as indexed
from kiln.index.wheelhouse import Built, Entry
from kiln.recipe import Catalogue
from kiln.sources import FetchSettings
from tests.support import browser, wheels
from tests.support.loopback import Notes

PLAIN = Built(
    "toy",
    "1.0",
    "a" * 64,
    "cpu",
    "bookworm",
    "3.11",
    "sse4.2",
    (),
    9,
    1,
    "2026-02-01T10:00:00Z",
    ("plan.json",),
)


def entry(file: str, built: Built | None = PLAIN) -> Entry:
    return Entry(file, hashlib.sha256(file.encode()).hexdigest(), 1000, built=built)


ENTRIES = (
    entry("opencv_python-4.3.0+1-cp311-cp311-manylinux_2_35_x86_64.whl"),
    entry(
        "opencv_python-4.3.0+cu118-cp38-cp38-manylinux_2_17_x86_64.manylinux2014_x86_64.whl",
        replace(
            PLAIN, python="3.8", device="cuda-11.8", date="2026-03-01T10:00:00Z",
            files=("report.html", "reproduced.json"),
        ),
    ),
    entry("toy-1.0+1-py3-none-any.whl", replace(PLAIN, date="", choices=("no-fast",))),
    entry("numpy-1.23.5-cp311-cp311-manylinux_2_17_x86_64.whl", None),
)  # fmt: skip


def landing(entries: tuple[Entry, ...] = ENTRIES) -> str:
    ordered = sorted(entries, key=lambda each: (each.project, each.file))
    return pages.all_of(ordered, [])["index.html"]


def test_without_a_script_the_page_is_the_full_list() -> None:
    page = landing()
    assert page.count('class="wheel"') == 3 and page.count('role="search" hidden') == 1
    assert page.count("uv pip install --index-url") == 3
    assert 'href="records/opencv_python-4.3.0%2Bcu118-' in page and "built again, same bytes" in page
    assert page.count(">report</a>") == 1 and page.count(">plan</a>") == 2


class Inline(HTMLParser):
    """What a strict policy has to allow: the texts of styles and scripts, and attributes that are programs."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.texts: dict[str, str] = {}
        self.attributes: list[str] = []
        self._inside = ""
        self.feed(page)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self._inside = tag
        self.attributes += [name for name, _ in attrs if name == "style" or name.startswith("on")]

    def handle_endtag(self, tag: str) -> None:
        self._inside = ""

    def handle_data(self, data: str) -> None:
        if self._inside in ("style", "script"):
            self.texts[self._inside] = self.texts.get(self._inside, "") + data


def test_the_page_allows_its_own_style_and_script_and_nothing_else() -> None:
    page = landing()
    (policy,) = re.findall(r'http-equiv="Content-Security-Policy" content="([^"]*)"', page)
    inline = Inline(page)
    assert inline.attributes == [] and policy.startswith("default-src 'none'; ")
    for kind, text in inline.texts.items():
        digest = base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()
        assert f"{kind}-src 'sha256-{digest}'" in policy.replace("&#39;", "'")


def test_hostile_names_of_variants_are_shown_as_text() -> None:
    evil = replace(PLAIN, choices=('"><script>alert(1)</script>',), device="<b>")
    page = landing((entry("toy-1.0+1-py3-none-any.whl", evil),))
    assert "<script>alert" not in page and "<b>" not in page


def test_feeds_list_what_was_built_the_newest_first() -> None:
    made = feeds.all_of(ENTRIES, "https://wheels.example/")
    value = json.loads(made["feed.json"])
    assert value["version"] == "https://jsonfeed.org/version/1.1"
    assert value["feed_url"] == "https://wheels.example/feed.json"
    new, old = value["items"]
    assert new["title"] == "opencv-python 4.3.0+cu118, Python 3.8, cuda-11.8"
    assert new["url"].startswith("https://wheels.example/records/") and new["url"].endswith("/report.html")
    assert old["url"] == "https://wheels.example/index.html#opencv-python"
    assert new["date_published"] == "2026-03-01T10:00:00Z" and new["id"] != old["id"]
    channel = ElementTree.fromstring(made["feed.xml"]).find("channel")  # noqa: S314
    assert channel is not None
    items = channel.findall("item")
    assert [each.findtext("title") for each in items] == [new["title"], old["title"]]
    assert [each.findtext("guid") for each in items] == [new["id"], old["id"]]
    assert items[0].findtext("pubDate") == "Sun, 01 Mar 2026 10:00:00 +0000"


def test_feeds_of_an_index_without_an_address_have_relative_links() -> None:
    made = feeds.all_of(ENTRIES, "")
    assert "://" not in "".join(item["url"] for item in json.loads(made["feed.json"])["items"])
    assert json.loads(feeds.all_of((), "")["feed.json"])["items"] == []


def house(tmp_path: Path, results: Path) -> Wheelhouse:
    home = Home.of({"KILN_HOME": str(tmp_path / "home")})
    return Wheelhouse(Catalogue(tmp_path / "root"), (results,), home, FetchSettings())


def test_the_date_and_the_files_of_a_record_are_on_the_page_and_the_address_stays(tmp_path: Path) -> None:
    results = wheels.result(tmp_path).parent
    item = wheelhouse.read_result(next(results.iterdir()))
    assert item.entry.built
    assert item.entry.built.date == "1970-01-01T00:01:00Z"
    assert item.entry.built.files == ("provenance.intoto.jsonl", "plan.json")
    index = tmp_path / "index"
    update_index(house(tmp_path, results), index, False, Console(), address="https://wheels.example/all")
    indexed.update(index, [item], {}, Notes())
    assert json.loads((index / "feed.json").read_text())["home_page_url"] == "https://wheels.example/all/"
    for wrong in ("wheels.example", "ftp://wheels.example/", "https://me:secret@wheels.example/", "https://"):
        with pytest.raises(UsageError, match="is not where an index can be published") as raised:
            update_index(house(tmp_path, results), index, False, Console(), address=wrong)
        assert "secret" not in str(raised.value)


def test_a_record_of_another_form_has_no_date(tmp_path: Path) -> None:
    found = record.read(wheels.result(tmp_path))
    assert isinstance(found, Record)
    changed = record.add(found, record.PROVENANCE, '{"predicate": []}')
    built = wheelhouse.read_result(changed.folder).entry.built
    assert built and built.date == ""


def test_filters_leave_the_wheels_that_fit(tmp_path: Path) -> None:
    if browser.program() is None:
        pytest.skip("this machine has no Chromium")
    (tmp_path / "index.html").write_text(landing())
    with browser.page(tmp_path / "profile") as page:

        def shown(query: str) -> tuple[int, str]:
            page.open(f"{(tmp_path / 'index.html').as_uri()}?{query}")
            here = json.dumps("?" + query if query else "")
            page.wait(f"location.search === {here} && document.getElementById('count').textContent")
            visible = "document.querySelectorAll('.wheel:not([hidden])').length"
            return int(page.value(visible)), str(page.value("document.getElementById('count').textContent"))

        assert shown("") == (3, "3 of 3 wheels")
        assert shown("python=3.8")[0] == 2  # and the wheel for any Python
        assert shown("device=cuda-11.8")[0] == 1
        assert shown("glibc=2.17")[0] == 2
        assert shown("since=2026-02-15")[0] == 1
        assert shown("again=yes")[0] == 1
        assert shown("text=opencv+cuda")[0] == 1
        assert shown("text=nothing")[0] == 0
        assert page.value("document.querySelectorAll('.project:not([hidden])').length") == 0
