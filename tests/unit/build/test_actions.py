from __future__ import annotations

import gzip
import json
import os
import shutil
import subprocess
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from kiln.build.actions import Action, actions_in, bazel_profile, longest, ninja_log

# Two runs of ninja 1.11: the second counts from its own begin. The last line of a killed run is not whole.
LOG = """\
# ninja log v5
94\t1638\t1795940911571174227\tgenerated/enums.h\tcb36a3b75fd79c19
94\t1638\t1795940911571174227\tgenerated/funcs.h\tcb36a3b75fd79c19
376\t506\t1795940912098000109\tzlib/adler32.c.o\td7d55114862e5fa4
400\t1906\t1795940913498000109\tcore/arithm.cpp.o\t0000000000000001
500\t19
"""


def test_the_actions_of_each_run_of_ninja_begin_when_they_did() -> None:
    enums, adler, arithm = ninja_log(LOG, written=0)
    assert (enums.name, adler.name, arithm.name) == (
        "generated/enums.h", "zlib/adler32.c.o", "core/arithm.cpp.o",
    )  # fmt: skip
    assert enums.begun == pytest.approx(1795940910.027, abs=0.001)
    assert adler.begun == pytest.approx(1795940911.968, abs=0.001)
    assert arithm.seconds == pytest.approx(1.506)


def test_a_log_without_times_of_outputs_ended_when_it_was_written() -> None:
    (one,) = ninja_log("# ninja log v5\n1000\t3000\t0\ta.o\tff\n", written=500.0)
    assert (one.begun, one.seconds) == (498.0, 2.0)


def test_an_old_ninja_counts_outputs_in_seconds() -> None:
    (one,) = ninja_log("1000\t3000\t1500000000\ta.o\tff\n", written=0)
    assert one.begun == 1499999998.0


@settings(max_examples=50)
@given(st.text(alphabet="0123456789\t\n-a.#", max_size=300))
def test_any_text_as_a_log_gives_actions_that_take_no_less_than_no_time(text: str) -> None:
    assert all(each.seconds >= 0 for each in ninja_log(text, written=1.0))


# As Bazel 0.26 writes it: a list; newer ones write an object.
EVENTS = [
    {"name": "thread_name", "ph": "M", "pid": 1, "tid": 1, "args": {"name": "main"}},
    {"cat": "action processing", "name": "action 'Compiling b.cc'", "ph": "X", "ts": 3000000, "dur": 2000000, "pid": 1},
    {"cat": "action processing", "name": "action 'Compiling a.cc'", "ph": "X", "ts": 1000000, "dur": 500000, "pid": 1},
    {"cat": "general information", "name": "finish", "ph": "X", "ts": 5000000, "dur": 1000000, "pid": 1},
    {"cat": "action processing", "name": "broken", "ph": "X", "ts": "soon", "dur": None},
]  # fmt: skip


@pytest.mark.parametrize("value", [EVENTS, {"otherData": {}, "traceEvents": EVENTS}])
def test_the_actions_of_a_profile_are_dated_by_its_end(value: object) -> None:
    assert bazel_profile(json.dumps(value).encode(), written=106.0) == [
        Action("Compiling a.cc", 101.0, 0.5),
        Action("Compiling b.cc", 103.0, 2.0),
    ]


def test_the_longest_are_kept_in_the_order_of_their_begin() -> None:
    actions = [Action("a", 3, 5), Action("b", 1, 9), Action("c", 2, 1)]
    assert [each.name for each in longest(actions, 2)] == ["b", "a"]


def test_a_build_folder_is_asked_for_ninja_and_bazel_and_may_have_neither(tmp_path: Path) -> None:
    assert actions_in(tmp_path) is None
    with gzip.open(tmp_path / "bazel-profile.json.gz", "wb") as file:
        file.write(json.dumps(EVENTS).encode())
    found = actions_in(tmp_path)
    assert found and (found.tool, len(found.actions)) == ("Bazel", 2)
    (tmp_path / "cmake").mkdir()
    (tmp_path / "cmake/.ninja_log").write_text(LOG)
    found = actions_in(tmp_path)
    assert found and (found.tool, len(found.actions)) == ("ninja", 3)


@pytest.mark.parametrize("content", [b"", b"no archive", gzip.compress(b"{}"), gzip.compress(b"[")[:-4]])
def test_a_profile_that_cannot_be_read_is_none(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "bazel-profile.json.gz").write_bytes(content)
    assert actions_in(tmp_path) is None


def test_what_a_step_put_in_place_of_a_log_or_a_profile_is_not_read(tmp_path: Path) -> None:
    elsewhere = tmp_path / "elsewhere"
    elsewhere.write_text("# ninja log v5\n0\t5\t0\ta.o\tff\n")
    build = tmp_path / "build"
    build.mkdir()
    (build / ".ninja_log").symlink_to(elsewhere)
    assert actions_in(build) is None
    (build / ".ninja_log").unlink()
    # One that nobody writes to would be waited for.
    os.mkfifo(build / "bazel-profile.json.gz")
    assert actions_in(build) is None
    (build / "bazel-profile.json.gz").unlink()
    (build / "bazel-profile.json.gz").write_bytes(gzip.compress(b"[" * 200_000))
    assert actions_in(build) is None


def test_the_log_of_a_real_ninja_is_read(tmp_path: Path) -> None:
    ninja = shutil.which("ninja")
    if ninja is None:
        pytest.skip("this machine has no ninja")
    (tmp_path / "build.ninja").write_text(
        "rule touch\n  command = touch $out\nbuild a: touch\nbuild b: touch a\ndefault b\n"
    )
    subprocess.run([ninja, "-C", tmp_path], check=True, capture_output=True)
    found = actions_in(tmp_path)
    assert found and sorted(each.name for each in found.actions) == ["a", "b"]
    written = (tmp_path / "b").stat().st_mtime
    assert all(abs(each.begun - written) < 60 for each in found.actions)
