"""Netron, the viewer of neural networks, on loopback, for one model."""

from __future__ import annotations

import contextlib
import re
import signal
import socket
import subprocess
import sys
from collections.abc import Mapping
from datetime import datetime, timedelta, timezone
from pathlib import Path

from kiln.core import Console, EngineError, KilnError, UsageError
from kiln.models.environment import Environment, Pins

HOST = "127.0.0.1"
KINDS = {
    ".pb": "TensorFlow graph",
    ".h5": "Keras model",
    ".onnx": "ONNX model",
    ".tflite": "TensorFlow Lite model",
}
# What the content of a kind begins with, at an offset; protocol buffers have nothing of the sort.
_MAGIC = {".h5": (0, b"\x89HDF\r\n\x1a\n"), ".tflite": (4, b"TFL3")}
# The page tells its own day, and shows nothing but a request to update so long after it.
_DAY = re.compile(r'<meta name="date" content="(\d{4}-\d\d-\d\d)')
_LIFE = timedelta(days=180)
# As the command `netron` starts: the console script holds a path and is found nowhere else.
_MAIN = "import netron; netron.main()"


def pins(root: Path) -> Pins:
    """The package that is served."""
    return Pins("netron", root / "requirements" / "netron.txt")


def model(path: Path) -> Path:
    """The file to show for a model: itself, or the one inside a SavedModel.

    Raises UsageError where it is not there, of no known kind, or not what its name says.
    """
    if path.is_dir():
        inside = path / "saved_model.pb"
        if not inside.is_file():
            raise UsageError(
                f"{path} is a folder without saved_model.pb", "give a SavedModel, or a model's file"
            )
        return inside
    if not path.is_file():
        raise UsageError(f"there is no model {path}", "give the path of a file, or of a SavedModel's folder")
    kind = path.suffix.lower()
    if kind not in KINDS:
        raise UsageError(
            f"{path} is of no kind that is shown",
            f"give a SavedModel's folder or a file that ends with {', '.join(KINDS)}",
        )
    offset, magic = _MAGIC.get(kind, (0, b""))
    with path.open("rb") as file:
        start = file.read(offset + len(magic))
    if start[offset:] != magic:
        raise UsageError(f"{path} is no {KINDS[kind]}, whatever its name says", "give another file")
    return path


def free_port(port: int) -> int:
    """The port, or any free one for 0; UsageError where it is taken or cannot be used."""
    if not 0 <= port <= 65535:
        raise UsageError(f"--port {port} is not a port", "give a number from 1 to 65535")
    with socket.socket() as sock:
        # As the server does it: connections that are closing do not count.
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            sock.bind((HOST, port))
        except OSError as error:
            raise UsageError(
                f"port {port} of {HOST} cannot be used ({error.strerror})", "give another --port, or none"
            ) from error
        return int(sock.getsockname()[1])


def expiry(page: str) -> datetime | None:
    """When a Netron stops working, from its page; None where the page does not tell its day."""
    found = _DAY.search(page)
    return found and datetime.fromisoformat(found.group(1)).replace(tzinfo=timezone.utc) + _LIFE


def check_age(environment: Environment, now: datetime) -> None:
    """EngineError where the pinned Netron would refuse to work because of its age."""
    pages = list(environment.folder.glob("lib/python3*/site-packages/netron/index.html"))
    end = expiry(pages[0].read_text(encoding="utf-8")) if pages else None
    if end and now >= end:
        raise EngineError(
            f"the pinned Netron works until {end:%Y-%m-%d} only, by its makers' will",
            "pin a newer one, docs/onnx.md tells how",
        )


def serve(
    environment: Environment, variables: Mapping[str, str], file: Path, port: int, console: Console
) -> None:
    """Show a model until Ctrl-C; KilnError where the server ends by itself."""
    command = [
        str(environment.python),
        "-c",
        _MAIN,
        "--host",
        HOST,
        "--port",
        str(port),
        "--verbosity",
        "quiet",
    ]
    process = subprocess.Popen(
        [*command, str(file.absolute())], env=environment.variables(variables), stdin=subprocess.DEVNULL,
        stdout=sys.stderr, start_new_session=True,
    )  # fmt: skip
    try:
        while process.poll() is None and not _answers(port):
            with contextlib.suppress(subprocess.TimeoutExpired):
                process.wait(0.05)
        if process.poll() is None:
            console.say(f"http://{HOST}:{port}/  shows {file}; Ctrl-C ends it")
        process.wait()
    except KeyboardInterrupt:
        console.say("ended")
        return
    finally:
        # It has a session of its own, so that Ctrl-C reaches Kiln alone and nothing is printed but its word.
        process.terminate()
        process.wait()
    if process.returncode < 0:
        name = signal.Signals(-process.returncode).name
        raise KilnError(f"Netron was stopped by the signal {name}", f"run it again to see {file}")
    raise KilnError(f"Netron ended with {process.returncode}: what it said is above; give another --port")


def _answers(port: int) -> bool:
    try:
        with socket.create_connection((HOST, port), timeout=0.2):
            return True
    except OSError:
        return False
