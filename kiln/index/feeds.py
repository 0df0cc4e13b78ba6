"""What is new in an index, for programs that people read news with: JSON Feed 1.1 and RSS 2.0."""

from __future__ import annotations

import json
import xml.etree.ElementTree as ElementTree
from collections.abc import Iterable, Sequence
from datetime import datetime
from email.utils import format_datetime
from typing import Any
from urllib.parse import quote

from kiln.index.wheelhouse import Entry

JSON_FEED, RSS = "feed.json", "feed.xml"
TITLE = "Wheels built by Kiln"
# How many wheels a feed lists.
MOST = 50


def all_of(entries: Iterable[Entry], address: str) -> dict[str, str]:
    """Both feeds by path. Links are below `address`, or relative where it is empty."""
    newest = _newest(entries)
    return {JSON_FEED: _json_feed(newest, address), RSS: _rss(newest, address)}


def _newest(entries: Iterable[Entry]) -> list[Entry]:
    """The wheels that Kiln has built and that have a date, the newest first."""
    dated = sorted((each for each in entries if each.built and each.built.date), key=lambda each: each.file)
    return sorted(dated, key=lambda each: each.built.date if each.built else "", reverse=True)[:MOST]


def _json_feed(entries: Sequence[Entry], address: str) -> str:
    value: dict[str, Any] = {
        "version": "https://jsonfeed.org/version/1.1",
        "title": TITLE,
        **({"home_page_url": address, "feed_url": f"{address}{JSON_FEED}"} if address else {}),
        "items": [
            {
                "id": _identity(entry),
                "url": _link(entry, address),
                "title": _title(entry),
                "content_text": _text(entry),
                "date_published": entry.built.date if entry.built else "",
                "tags": _tags(entry),
                "attachments": [
                    {
                        "url": f"{address}files/{quote(entry.file)}",
                        "mime_type": "application/zip",
                        "title": entry.file,
                        "size_in_bytes": entry.size,
                    }
                ],
            }
            for entry in entries
        ],
    }
    return json.dumps(value, indent=1, sort_keys=True) + "\n"


def _rss(entries: Sequence[Entry], address: str) -> str:
    root = ElementTree.Element("rss", version="2.0")
    channel = ElementTree.SubElement(root, "channel")
    _add(channel, "title", TITLE)
    _add(channel, "link", address or "index.html")
    _add(channel, "description", "Compiled from pinned sources, and tested.")
    for entry in entries:
        item = ElementTree.SubElement(channel, "item")
        _add(item, "title", _title(entry))
        _add(item, "link", _link(entry, address))
        _add(item, "description", _text(entry))
        _add(item, "guid", _identity(entry), isPermaLink="false")
        if entry.built:
            _add(item, "pubDate", format_datetime(datetime.fromisoformat(entry.built.date[:-1] + "+00:00")))
        for tag in _tags(entry):
            _add(item, "category", tag)
    ElementTree.indent(root, " ")
    return '<?xml version="1.0" encoding="utf-8"?>\n' + ElementTree.tostring(root, encoding="unicode") + "\n"


def _add(parent: ElementTree.Element, name: str, text: str, **attributes: str) -> None:
    ElementTree.SubElement(parent, name, attributes).text = text


def _identity(entry: Entry) -> str:
    """What a reader knows an item by: the wheel, wherever it is published."""
    return f"urn:sha256:{entry.sha256}"


def _link(entry: Entry, address: str) -> str:
    """The report of a wheel, or its place on the page for people."""
    if entry.built and "report.html" in entry.built.files:
        return f"{address}records/{quote(entry.file)}/report.html"
    return f"{address}index.html#{entry.project}"


def _title(entry: Entry) -> str:
    about = entry.built
    return f"{entry.project} {entry.version}" + (f", Python {about.python}, {about.device}" if about else "")


def _text(entry: Entry) -> str:
    about = entry.built
    tests = f"{about.passed} tests passed, {about.skipped} left out. " if about else ""
    return f"{tests}{entry.size / 1e6:.1f} MB, sha256 {entry.sha256}."


def _tags(entry: Entry) -> list[str]:
    about = entry.built
    return [entry.project, f"Python {about.python}", about.device, about.base] if about else [entry.project]
