from __future__ import annotations

import os
from pathlib import Path

import pytest

from kiln.attest import VARIATIONS, arrange, packages, usual_umask

HERE = {"HOME": "/root", "CFLAGS": "-O1"}


def test_nothing_is_arranged_for_what_is_not_chosen(tmp_path: Path) -> None:
    made = arrange((), HERE, 4, True, tmp_path)
    assert (made.environment, made.umask, made.jobs) == (HERE, usual_umask(), 4)
    conditions = made.conditions
    assert (conditions.hostname, conditions.user, conditions.prefix) == ("", None, ())
    assert not conditions.environment and not conditions.mounts and not made.missing


def test_each_variation_reaches_kiln_or_its_containers(tmp_path: Path) -> None:
    made = arrange(
        ("umask", "timezone", "environment", "hostname", "user", "jobs", "kernel"), HERE, 4, True, tmp_path
    )
    assert made.varied == made.chosen
    assert made.jobs == 5 and made.umask != usual_umask()
    assert made.environment["HOME"] == "/root" and "TZ" in made.environment
    assert made.environment["CFLAGS"] != "-O1"
    assert made.conditions.hostname and made.conditions.user not in (None, 0, 1000)
    assert made.conditions.prefix == ("setarch", "--uname-2.6")
    assert made.conditions.environment


def test_what_is_not_possible_is_said_with_what_to_do_and_does_not_count_as_varied(tmp_path: Path) -> None:
    made = arrange(tuple(VARIATIONS), HERE, 4, False, tmp_path)
    assert "run as root" in made.missing["user"] and made.conditions.user is None
    assert set(made.varied) == set(VARIATIONS) - set(made.missing)
    assert ("processors" in made.missing) == (len(os.sched_getaffinity(0)) == 1)
    # Each that is possible has left something.
    assert ("clock" in made.missing) == (not made.conditions.mounts)
    assert ("locale" in made.missing) == ("LC_ALL" not in made.environment)


def test_packages_are_asked_for_only_for_what_is_chosen(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    assert "disorderfs" in packages(("order",)) and "disorderfs" not in packages(("paths",))
    (tmp_path / "disorderfs").write_text("#!/bin/sh\n")
    (tmp_path / "disorderfs").chmod(0o755)
    assert "disorderfs" not in packages(("order",))
