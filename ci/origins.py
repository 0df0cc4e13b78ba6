#!/usr/bin/env python3
"""Asks every URL of the matrix's sources and of its images' packages whether it still has its file.

It is called as `ci/origins.py REPORT.md`.

Writes what has rotted as Markdown, also into GitHub's job summary. Ends with 1 where nothing that is known has a source
any more: no URL of its own, no fallback, no package, no git repository. Else with 0. Further arguments, such as
`--recipe opencv`, go to `./inv ci-matrix`.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

INV = str(Path(__file__).resolve().parent.parent / "inv")


@dataclass(frozen=True)
class Source:
    """A source with its own URLs that are dead, each with the reason, and where it can still be had."""

    name: str
    asked: int
    dead: dict[str, str]
    ways: list[str]


def main() -> int:
    report, *filters = sys.argv[1:]
    rows = {row["sources"]: row for row in answer("ci-matrix", "--json", *filters)["include"]}
    sources = {digest: source for row in rows.values() for digest, source in of(row["arguments"][1:])}
    rotten = [source for source in sources.values() if source.dead]
    lost = [source for source in rotten if not source.ways]
    asked = sum(source.asked for source in sources.values())
    dead = sum(len(source.dead) for source in rotten)
    lines = [
        f"## Origins: {len(lost)} of {len(sources)} sources are nowhere to be had",
        "",
        f"{asked} URLs were asked; {dead} of them did not have their file. Packages and git repositories are not asked.",
    ]
    if rotten:
        lines += ["", "| source | dead | why | still had from |", "|---|---|---|---|"]
    # The lost ones first.
    for source in sorted(rotten, key=lambda each: (bool(each.ways), each.name)):
        for url, reason in source.dead.items():
            lines.append(
                row_of(source.name, url, reason, ", ".join(source.ways) or "**nowhere that is known**")
            )
    text = "\n".join(lines) + "\n"
    print(text)
    Path(report).write_text(text, encoding="utf-8")
    if os.environ.get("GITHUB_STEP_SUMMARY"):
        with Path(os.environ["GITHUB_STEP_SUMMARY"]).open("a", encoding="utf-8") as file:
            file.write(text)
    return 1 if lost else 0


def of(arguments: Sequence[str]) -> Iterator[tuple[str, Source]]:
    """The sources of one build and the packages of its images by digest, once all their URLs were asked."""
    origins = {
        source["digest"]: source["origins"] for source in answer("plan", *arguments, "--json")["sources"]
    }
    for found in answer("sources", *arguments, "--check-origins", "--json"):
        others = [
            kind
            for origin in origins.get(found["digest"], ())
            for kind in ("pypi", "npm", "git")
            if kind in origin
        ]
        own = [each for each in found["answers"] if each["own"]]
        alive = [each["url"] for each in found["answers"] if not each["reason"]]
        dead = {each["url"]: each["reason"] for each in own if each["reason"]}
        yield found["digest"], Source(found["name"], len(own), dead, [*alive, *others])


def answer(*arguments: str) -> Any:
    """What `./inv` answers in JSON; its own exit code ends the script where it fails."""
    done = subprocess.run([INV, *arguments], stdout=subprocess.PIPE)
    if done.returncode:
        sys.exit(done.returncode)
    return json.loads(done.stdout)


def row_of(*cells: str) -> str:
    return "| " + " | ".join(each.replace("|", "\\|").replace("\n", " ") for each in cells) + " |"


if __name__ == "__main__":
    sys.exit(main())
