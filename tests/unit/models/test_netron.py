from __future__ import annotations

import socket
from datetime import datetime, timedelta, timezone
from pathlib import Path

import pytest

from kiln.core import Console
from kiln.core.errors import EngineError, KilnError, UsageError
from kiln.models import netron
from kiln.models.environment import Environment
from tests.support.command import run


def test_models_are_known_by_name_and_content(tmp_path: Path) -> None:
    contents = {
        "m.onnx": b"", "m.pb": b"", "M.H5": b"\x89HDF\r\n\x1a\n...", "m.tflite": b"\0\0\0\0TFL3..",
    }  # fmt: skip
    for name, content in contents.items():
        (tmp_path / name).write_bytes(content)
        assert netron.model(tmp_path / name) == tmp_path / name
    saved = tmp_path / "saved"
    saved.mkdir()
    (saved / "saved_model.pb").touch()
    assert netron.model(saved) == saved / "saved_model.pb"


def test_what_is_no_model_is_told_with_exit_code_2(tmp_path: Path) -> None:
    (tmp_path / "m.txt").touch()
    (tmp_path / "m.h5").write_bytes(b"not that")
    (tmp_path / "short.tflite").write_bytes(b"TFL")
    (tmp_path / "empty").mkdir()
    for name, reason in {
        "nowhere.onnx": "there is no model",
        "m.txt": "is of no kind that is shown",
        "m.h5": "is no Keras model, whatever its name says",
        "short.tflite": "is no TensorFlow Lite model",
        "empty": "a folder without saved_model.pb",
    }.items():
        with pytest.raises(UsageError, match=reason):
            netron.model(tmp_path / name)
    done = run(tmp_path / "home", "netron", str(tmp_path / "nowhere.onnx"))
    assert done.returncode == 2
    assert done.stderr.startswith("error: there is no model")


def test_a_port_is_the_one_asked_for_or_a_free_one_and_a_taken_one_is_refused() -> None:
    free = netron.free_port(0)
    assert netron.free_port(free) == free
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", free))
        taken.listen()
        with pytest.raises(UsageError, match=f"port {free} of 127.0.0.1 cannot be used"):
            netron.free_port(free)
    with pytest.raises(UsageError, match="is not a port"):
        netron.free_port(65536)


def test_a_netron_that_would_refuse_to_work_is_told_before_it_starts(tmp_path: Path) -> None:
    page = tmp_path / "lib" / "python3.11" / "site-packages" / "netron" / "index.html"
    page.parent.mkdir(parents=True)
    page.write_text('<meta name="date" content="2026-01-01 10:00:00">', encoding="utf-8")
    made, end = Environment(tmp_path), datetime(2026, 6, 30, tzinfo=timezone.utc)
    netron.check_age(made, end - timedelta(seconds=1))
    with pytest.raises(EngineError, match="works until 2026-06-30 only"):
        netron.check_age(made, end)
    page.write_text("a page without a day", encoding="utf-8")
    netron.check_age(made, end)


@pytest.mark.parametrize(
    ("ends", "message"),
    [
        ("kill -TERM $$", "Netron was stopped by the signal SIGTERM: run it again"),
        ("kill -KILL $$", "Netron was stopped by the signal SIGKILL: run it again"),
        ("exit 3", "Netron ended with 3: what it said is above; give another --port"),
    ],
)
def test_only_a_netron_that_ended_by_itself_is_given_another_port(
    tmp_path: Path, ends: str, message: str
) -> None:
    made = Environment(tmp_path)
    made.python.parent.mkdir()
    made.python.write_text(f"#!/bin/sh\n{ends}\n", encoding="utf-8")
    made.python.chmod(0o755)
    with pytest.raises(KilnError, match=message) as caught:
        netron.serve(made, {}, tmp_path / "m.onnx", netron.free_port(0), Console.for_output())
    assert ("--port" in str(caught.value)) == (ends == "exit 3")
