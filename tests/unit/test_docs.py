"""What the documentation says that can be held against the repository: links, and commands."""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterator
from pathlib import Path

import pytest

from kiln.cli import collection
from kiln.recipe import Catalogue
from tests.support.command import run
from tests.support.repository import ROOT

PAGES = sorted([*(ROOT / "docs").glob("*.md"), *ROOT.glob("*.md"), ROOT / "layers/README.md"])
FENCE = re.compile(r"^ *```[a-z]*\n(.*?)^ *```", re.M | re.S)
LINK = re.compile(r"\]\(([^)\s]+)\)")
COMMAND = re.compile(r"(?:^|\s|`)\./inv ([^`#\n]+)")
# What needs neither an engine nor a network, and is done in a second.
CHEAP = ("plan", "recipes", "ci-matrix", "--list")


def prose(page: Path) -> str:
    return FENCE.sub("", page.read_text(encoding="utf-8"))


def anchors(page: Path) -> set[str]:
    """The places in a page, as GitHub and the site's maker name them."""
    titles = re.findall(r"^#+ (.+)$", prose(page), re.M)
    plain = (
        re.sub(r"[^\w\- ]", "", re.sub(r"\[([^]]*)\]\([^)]*\)", r"\1", title)).strip() for title in titles
    )
    return {title.lower().replace(" ", "-") for title in plain}


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_every_link_leads_to_a_file_and_a_place_in_it(page: Path) -> None:
    lost = []
    for link in LINK.findall(prose(page)):
        target, _, place = link.partition("#")
        if "://" in link or link.startswith("mailto:"):
            continue
        path = (page.parent / target).resolve() if target else page
        if not path.exists() or (place and path.suffix == ".md" and place not in anchors(path)):
            lost.append(link)
    assert lost == []


def commands() -> Iterator[tuple[str, list[str]]]:
    """Every command of Kiln's in the documentation, with the page that has it."""
    for page in PAGES:
        for line in COMMAND.findall(page.read_text(encoding="utf-8").replace("\\\n", " ")):
            text = re.split(r"\s{2,}|[|;&>)]", line.strip())[0]
            try:
                yield page.name, shlex.split(text)
            except ValueError:
                yield page.name, text.split()


def test_every_command_that_is_shown_is_one_that_there_is() -> None:
    tasks = collection(ROOT)
    wrong = []
    for page, (task, *rest) in commands():
        if not re.fullmatch(r"[a-z-]+", task) or task.startswith("-"):
            continue  # TASK, and what stands for any
        if task not in tasks.task_names:
            # The toy is built in tests alone, and a new recipe has its own task.
            if not task.startswith("build-"):
                wrong.append((page, task))
            continue
        known = {f"--{name.replace('_', '-')}" for each in tasks[task].get_arguments() for name in each.names}
        known |= {f"--no-{name[2:]}" for name in known} | {"--help"}
        given = [
            word.partition("=")[0].rstrip(",.:") for word in rest if word.startswith("--") and len(word) > 2
        ]
        wrong += [(page, f"{task} {option}") for option in given if option not in known]
    assert wrong == []


def test_every_command_that_is_quick_runs(tmp_path: Path) -> None:
    names = set(Catalogue(ROOT).names())
    quick = {
        tuple(words)
        for _, words in commands()
        if words[0] in CHEAP
        and not any(re.search(r"[…~]|\b[A-Z]{3,}\b", word) for word in words)
        and (words[0] != "plan" or (words[1:] and words[1].partition("/")[0] in names))
    }
    assert len(quick) > 5
    failed = {words: done.stderr for words in sorted(quick) if (done := run(tmp_path, *words)).returncode}
    assert failed == {}
