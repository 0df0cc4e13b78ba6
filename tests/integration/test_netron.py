"""Netron in a real browser."""

from __future__ import annotations

import contextlib
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support import browser
from tests.support.onnx_models import onnx_model
from tests.support.repository import ROOT

needs_browser = pytest.mark.skipif(
    browser.program() is None, reason="there is no Chromium: `./inv test --setup` installs it"
)


@contextlib.contextmanager
def served(model: Path, *options: str) -> Iterator[tuple[subprocess.Popen[str], str]]:
    """`./inv netron`, and the address that it prints."""
    process = subprocess.Popen(
        [sys.executable, "-u", ROOT / "tasks.py", "netron", str(model), *options],
        stdout=subprocess.PIPE, text=True, start_new_session=True,
    )  # fmt: skip
    assert process.stdout is not None
    try:
        yield process, process.stdout.readline().split()[0]
    finally:
        process.terminate()
        process.wait()


@needs_browser
def test_a_model_is_shown_in_a_browser_and_ctrl_c_ends_it_cleanly(tmp_path: Path) -> None:
    model = tmp_path / "model.onnx"
    model.write_bytes(onnx_model("Relu", "Softmax"))
    with served(model) as (process, address):
        with browser.page(tmp_path / "profile") as page:
            page.open(address, consent="1")
            page.wait("document.body.classList.contains('default')")
            shown = page.value("[...document.querySelectorAll('.node-item-type')].map(e => e.textContent)")
            picture = tmp_path / "picture.png"
            page.picture(picture)
        assert {"Relu", "Softmax"} <= set(shown)
        assert picture.stat().st_size > 5000
        port = int(address.rstrip("/").rpartition(":")[2])
        process.send_signal(signal.SIGINT)
        assert process.wait(120) == 0
        with socket.socket() as sock:
            assert sock.connect_ex(("127.0.0.1", port)) != 0


def test_netron_listens_on_loopback_alone_and_a_taken_port_is_told(tmp_path: Path) -> None:
    model = tmp_path / "model.onnx"
    model.write_bytes(onnx_model("Relu"))
    with served(model) as (_, address):
        port = address.rstrip("/").rpartition(":")[2]
        assert address == f"http://127.0.0.1:{port}/"
        table = [line.split() for line in Path("/proc/net/tcp").read_text(encoding="ascii").splitlines()[1:]]
        listening = [place for _, place, _, state, *_ in table if state == "0A"]
        assert [each for each in listening if each.endswith(f":{int(port):04X}")] == [
            f"0100007F:{int(port):04X}"
        ]
        again = subprocess.run(
            [sys.executable, ROOT / "tasks.py", "netron", str(model), "--port", port],
            capture_output=True, text=True,
        )  # fmt: skip
        assert again.returncode == 2
        assert again.stderr.startswith(f"error: port {port} of 127.0.0.1 cannot be used")
