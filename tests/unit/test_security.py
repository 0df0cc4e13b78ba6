"""The page on security says what the code does, and names tests that there are."""

from __future__ import annotations

import ast
import json
import re

import pytest

from kiln.engine import container, room
from kiln.plan import Limits
from tests.support.repository import ROOT

PAGE = (ROOT / "docs/security.md").read_text(encoding="utf-8")


@pytest.mark.parametrize("named", sorted(set(re.findall(r"`(tests/[^`]+)`", PAGE))))
def test_a_test_that_the_page_names_is_there(named: str) -> None:
    path, _, name = named.partition("::")
    tree = ast.parse((ROOT / path).read_text(encoding="utf-8"))
    functions = {each.name for each in tree.body if isinstance(each, ast.FunctionDef)}
    assert functions if not name else name in functions


def test_every_defence_has_a_test() -> None:
    rows = [row for row in PAGE.splitlines() if row.startswith("| ") and row.count("|") == 4]
    rows = [row for row in rows if not row.endswith(("| test |", "|---|"))]
    assert len(rows) > 25
    assert [row for row in rows if "`tests/" not in row] == []


def test_the_calls_that_the_page_refuses_are_not_in_the_list_of_those_that_are_allowed() -> None:
    (row,) = (row for row in PAGE.splitlines() if row.startswith("| calls that no build makes"))
    calls = set(re.findall(r"`(\w+)`", row.split("|")[1]))
    profile = json.loads(container.PROFILE.read_text(encoding="utf-8"))
    assert profile["defaultAction"] == "SCMP_ACT_ERRNO"
    allowed = [each for each in profile["syscalls"] if each["action"] == "SCMP_ACT_ALLOW"]
    assert len(calls) == 15
    assert not calls & {name for each in allowed for name in each["names"]}
    # New processes are made, new namespaces are not.
    (clone,) = (each for each in allowed if "clone" in each["names"])
    new = 0x00020000 | 0x02000000 | 0x04000000 | 0x08000000 | 0x10000000 | 0x20000000 | 0x40000000
    (argument,) = clone["args"]
    assert (argument["value"], argument["valueTwo"], argument["op"]) == (new, 0, "SCMP_CMP_MASKED_EQ")


def test_the_numbers_of_the_page_are_those_of_the_code() -> None:
    assert f"| {Limits().processes} |" in PAGE
    assert (Limits().network, Limits().capabilities, Limits().root_file_system) == (
        "none",
        "none",
        "read-only",
    )
    assert "at least 8 GB" in PAGE and room.LEAST == 8 * 10**9
    assert "| 1 GiB each |" in PAGE
    assert set(re.findall(r"size=(\w+)", str(container.IN_MEMORY))) == {"1g", "64m"}
