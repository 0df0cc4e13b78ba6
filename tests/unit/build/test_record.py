from __future__ import annotations

import os
from pathlib import Path

import pytest

from kiln.build import Damage, Record, record
from kiln.core import SourceError
from kiln.plan import planner
from kiln.plan.planner import Plan, Request
from kiln.recipe import Catalogue
from tests.support import repository


@pytest.fixture
def made(tmp_path: Path) -> Plan:
    return planner.make(Catalogue(repository.make(tmp_path / "root")), Request("toy"))


def written(folder: Path, made: Plan) -> Record:
    files = {"toy-1.0-py3-none-any.whl": b"wheel", "log": b"log", "smoke.xml": b"<testsuite/>"}
    for name, content in files.items():
        (folder / name).write_bytes(content)
    results = folder / "results"
    results.mkdir(exist_ok=True)
    wheel, log, smoke = (folder / name for name in files)
    return record.write(results, made, wheel, log, [smoke])


def test_a_result_is_found_under_its_key_with_all_its_files(tmp_path: Path, made: Plan) -> None:
    found = written(tmp_path, made)
    folder = found.folder
    assert record.find(tmp_path / "results", made.key) == found
    assert (found.wheel.name, found.log.name) == ("toy-1.0-py3-none-any.whl", "build.log")
    assert [path.name for path in found.reports] == ["smoke.xml"]
    assert {path.name for path in folder.iterdir()} == {
        "toy-1.0-py3-none-any.whl", "plan.json", "toolchain.json", "build.log", "smoke.xml", "smoke.key",
        "SHA256SUMS",
    }  # fmt: skip
    assert found.smoke_key == made.smoke_key


def test_a_result_knows_the_plan_that_it_was_built_by(tmp_path: Path, made: Plan) -> None:
    plan = written(tmp_path, made).plan
    assert (plan.key, plan.folder) == (made.key, str(made.folder))
    assert (plan.recipe, plan.release) == (made.recipe.name, made.recipe.version)
    assert (plan.variant, plan.options) == (made.variant, made.options)
    assert (plan.interpreter, plan.kind) == (made.interpreter.executable, made.interpreter.kind)


@pytest.mark.parametrize("text", ["", "[]", "{}", '{"key": 1, "folder": "x", "inputs": []}', "\xff"])
def test_what_is_not_a_plan_is_not_read_as_one(tmp_path: Path, text: str) -> None:
    (tmp_path / "plan.json").write_text(text, encoding="utf-8")
    assert record.read_plan(tmp_path) is None


def test_a_file_that_is_added_later_is_in_the_sums_and_all_else_stays(tmp_path: Path, made: Plan) -> None:
    before = written(tmp_path, made)
    wheel = before.wheel.read_bytes()
    for text in ("{}", "[]"):
        after = record.add(before, "reproduced.json", text)
        assert after == record.find(tmp_path / "results", made.key)
        assert (after.folder / "reproduced.json").read_text() == text
        assert after.wheel.read_bytes() == wheel and after.smoke_key == made.smoke_key
    (after.folder / "reproduced.json").write_text("{}")
    damage = record.find(tmp_path / "results", made.key)
    assert isinstance(damage, Damage) and damage.file == "reproduced.json"


def test_what_was_found_of_the_wheel_stays_with_it_when_its_suite_runs_again_and_can_be_taken_out(
    tmp_path: Path, made: Plan
) -> None:
    first = record.add(written(tmp_path, made), "reproduced.json", "{}")
    again = record.write(
        tmp_path / "results", made, first.wheel, first.log, first.reports, dict(first.described)
    )
    assert (again.folder / "reproduced.json").read_text() == "{}"
    without = record.take_out(again, {"reproduced.json"})
    assert without == record.find(tmp_path / "results", made.key)
    assert not (without.folder / "reproduced.json").exists()
    assert without.wheel.read_bytes() == b"wheel" and without.reports == first.reports


def test_there_is_no_result_of_another_key(tmp_path: Path, made: Plan) -> None:
    written(tmp_path, made)
    assert record.find(tmp_path / "results", "f" * 64) is None


def test_a_wheel_is_kept_before_its_suite_has_run_and_found_as_long_as_it_is_whole(
    tmp_path: Path, made: Plan
) -> None:
    for name in ("toy-1.0-py3-none-any.whl", "log"):
        (tmp_path / name).write_bytes(name.encode())
    assert record.find(tmp_path / "kept", made.key) is None
    found = record.keep(tmp_path / "kept", made, tmp_path / "toy-1.0-py3-none-any.whl", tmp_path / "log")
    assert record.find(tmp_path / "kept", made.key) == found
    assert found.wheel.read_bytes() == b"toy-1.0-py3-none-any.whl"
    assert (found.log.read_bytes(), found.smoke_key, found.reports) == (b"log", "", ())
    found.wheel.write_bytes(b"half")
    assert record.find(tmp_path / "kept", made.key) == Damage(found.folder, found.wheel.name)


@pytest.mark.parametrize("name", ["toy-1.0-py3-none-any.whl", "plan.json", "smoke.xml", "SHA256SUMS"])
@pytest.mark.parametrize("harm", ["change", "remove"])
def test_a_damaged_result_is_named_and_never_taken(tmp_path: Path, made: Plan, name: str, harm: str) -> None:
    folder = written(tmp_path, made).folder
    if harm == "remove":
        (folder / name).unlink()
    else:
        (folder / name).write_bytes((folder / name).read_bytes() + b"x")
    found = record.find(tmp_path / "results", made.key)
    assert isinstance(found, Damage)


def test_a_file_that_nobody_recorded_is_damage(tmp_path: Path, made: Plan) -> None:
    folder = written(tmp_path, made).folder
    (folder / "other.whl").write_bytes(b"x")
    assert record.find(tmp_path / "results", made.key) == Damage(folder, "other.whl")


def test_what_a_killed_run_left_is_replaced_and_never_seen(tmp_path: Path, made: Plan) -> None:
    left = tmp_path / "results" / f".partial-{made.key}"
    left.mkdir(parents=True)
    (left / "toy-1.0-py3-none-any.whl").write_bytes(b"half")
    assert record.find(tmp_path / "results", made.key) is None
    found = written(tmp_path, made)
    assert record.find(tmp_path / "results", made.key) == found
    assert not left.exists()


def test_publishing_copies_once_and_replaces_what_was_damaged(tmp_path: Path, made: Plan) -> None:
    found, target = written(tmp_path, made), tmp_path / "dist" / "toy" / "1.0" / "x"
    published = record.publish(found, target)
    assert (published.folder, published.plan) == (target, found.plan)
    before = (target / "smoke.xml").stat()
    assert record.publish(found, target) == published
    assert (target / "smoke.xml").stat().st_ino == before.st_ino
    (target / "smoke.xml").write_bytes(b"damaged")
    assert record.publish(found, target) == published
    assert (target / "smoke.xml").read_bytes() == b"<testsuite/>"
    assert [path.name for path in target.parent.iterdir()] == ["x"]


@pytest.mark.parametrize("name", ["SHA256SUMS", "smoke.xml", "plan.json"])
def test_a_pipe_or_a_link_in_a_result_is_damage(tmp_path: Path, made: Plan, name: str) -> None:
    folder = written(tmp_path, made).folder
    content = (folder / name).read_bytes()
    (folder / name).unlink()
    os.mkfifo(folder / name)
    assert record.read(folder) == Damage(folder, name)
    (folder / name).unlink()
    (tmp_path / "elsewhere").write_bytes(content)
    (folder / name).symlink_to(tmp_path / "elsewhere")
    assert record.read(folder) == Damage(folder, name)


def test_a_smoke_key_that_is_no_text_is_the_key_of_no_run(tmp_path: Path, made: Plan) -> None:
    found = written(tmp_path, made)
    (found.folder / "smoke.key").write_bytes(b"\x8a\xff")
    record._sum(found.folder)
    again = record.read(found.folder)
    assert isinstance(again, Record) and again.smoke_key != made.smoke_key


def test_a_build_that_left_a_link_for_a_report_is_not_recorded(tmp_path: Path, made: Plan) -> None:
    (tmp_path / "secret").write_text("mine")
    (tmp_path / "smoke.xml").symlink_to(tmp_path / "secret")
    for name in ("toy-1.0-py3-none-any.whl", "log"):
        (tmp_path / name).touch()
    with pytest.raises(SourceError, match="is a link, or not a file"):
        record.write(
            tmp_path / "results", made, tmp_path / "toy-1.0-py3-none-any.whl", tmp_path / "log",
            [tmp_path / "smoke.xml"],
        )  # fmt: skip
    assert not (tmp_path / "results" / made.key).exists()
