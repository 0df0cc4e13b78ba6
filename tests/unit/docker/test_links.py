"""The links of a README on a page that does not have the project's files."""

from __future__ import annotations

import re

import pytest

from tests.support.programs import program
from tests.support.repository import ROOT

LINKS = program("docker/python/links.py")
URL = "https://git.example/kiln/raw/main/layers"


@pytest.mark.parametrize("url", [URL, f"{URL}/"])
@pytest.mark.parametrize(
    ("before", "after"),
    [
        ("![a picture](docs/a.png)", f"![a picture]({URL}/docs/a.png)"),
        ("[one](a.md), [two](a.md#place)", f"[one]({URL}/a.md), [two]({URL}/a.md#place)"),
        ('[up](../docs/b.md "a title")', '[up](https://git.example/kiln/raw/main/docs/b.md "a title")'),
        ("[place](#place)", "[place](#place)"),
        ("[web](http://other.example/x), [mail](mailto:me@other.example)", None),
        ("```python\nrows[a](b)\n```\n[x](y)", f"```python\nrows[a](b)\n```\n[x]({URL}/y)"),
    ],
)
def test_relative_links_become_absolute_and_nothing_else_changes(
    before: str, after: str | None, url: str
) -> None:
    assert LINKS.absolute(before, url) == (after or before)


def test_every_picture_of_the_layer_library_is_at_the_projects_url() -> None:
    text = (ROOT / "layers/README.md").read_text(encoding="utf-8")
    pictures = re.findall(r"!\[[^\]]*\]\((\S+)\)", text)
    assert pictures
    assert re.findall(r"!\[[^\]]*\]\((\S+)\)", LINKS.absolute(text, URL)) == [
        f"{URL}/{each}" for each in pictures
    ]
    assert "](docs/" not in LINKS.absolute(text, URL)


@pytest.mark.parametrize(
    "url", ["git.example/kiln", "https:///kiln", "ftp://git.example/", "https://git.example/a b"]
)
def test_what_is_no_url_is_refused_with_an_example(url: str) -> None:
    with pytest.raises(ValueError, match="is not a URL: give one such as https://"):
        LINKS.absolute("", url)


def test_the_project_has_its_url_in_the_metadata() -> None:
    assert (
        LINKS.with_url("[metadata]\nname = x\n[options]\n", URL)
        == f"[metadata]\nurl = {URL}\nname = x\n[options]\n"
    )
    with pytest.raises(ValueError, match="exactly one section"):
        LINKS.with_url("[options]\n", URL)
