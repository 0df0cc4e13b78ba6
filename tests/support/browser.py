"""A real Chromium without a window, told what to do over its debugging pipe."""

from __future__ import annotations

import base64
import contextlib
import fcntl
import json
import os
import shutil
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any, BinaryIO

PROGRAMS = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")


def program() -> str | None:
    """The browser's path; None where there is none in PATH."""
    return next(filter(None, map(shutil.which, PROGRAMS)), None)


class Page:
    """One page. It reaches this machine alone, and has the cookies that are given as NAME=VALUE."""

    def __init__(self, commands: BinaryIO, answers: BinaryIO) -> None:
        self._commands, self._answers, self._number = commands, answers, 0
        target = self._ask("Target.createTarget", {"url": "about:blank"})
        attached = self._ask("Target.attachToTarget", {"targetId": target["targetId"], "flatten": True})
        self._session = str(attached["sessionId"])

    def open(self, url: str, **cookies: str) -> None:
        for name, value in cookies.items():
            self._ask("Network.setCookie", {"name": name, "value": value, "url": url}, self._session)
        self._ask("Page.navigate", {"url": url}, self._session)

    def value(self, expression: str) -> Any:
        """What a JavaScript expression is in the page."""
        given = {"expression": expression, "returnByValue": True, "awaitPromise": True}
        return self._ask("Runtime.evaluate", given, self._session)["result"].get("value")

    def wait(self, expression: str, seconds: float = 60) -> None:
        """Until an expression is true; TimeoutError with what the page shows where it does not become so."""
        end = time.monotonic() + seconds
        while not self.value(f"Boolean({expression})"):
            if time.monotonic() > end:
                raise TimeoutError(f"{expression}: {self.value('document.body.innerText')}")
            self.value("new Promise(done => setTimeout(done, 50))")

    def picture(self, file: Path) -> None:
        data = self._ask("Page.captureScreenshot", {"format": "png"}, self._session)["data"]
        file.write_bytes(base64.b64decode(data))

    def _ask(self, method: str, parameters: dict[str, Any], session: str = "") -> dict[str, Any]:
        self._number += 1
        message = {"id": self._number, "method": method, "params": parameters}
        self._commands.write(
            json.dumps({**message, **({"sessionId": session} if session else {})}).encode() + b"\0"
        )
        self._commands.flush()
        while True:
            answer = json.loads(self._message())
            if answer.get("id") == self._number:
                assert "error" not in answer, answer
                return dict(answer["result"])

    def _message(self) -> bytes:
        found = bytearray()
        while (byte := self._answers.read(1)) != b"\0":
            assert byte, "the browser has ended"
            found += byte
        return bytes(found)


def _moved(descriptor: int) -> int:
    moved = fcntl.fcntl(descriptor, fcntl.F_DUPFD, 10)
    os.close(descriptor)
    return moved


@contextlib.contextmanager
def page(profile: Path) -> Iterator[Page]:
    """A page of a browser whose profile is a new folder."""
    chromium = program()
    assert chromium is not None
    (taken, commands), (answers, given) = os.pipe(), os.pipe()
    # Out of the way of 3 and 4, on which Chromium reads commands and writes answers.
    taken, given = (_moved(each) for each in (taken, given))
    options = [
        *("--headless=new", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage", "--no-first-run"),
        *("--remote-debugging-pipe", f"--user-data-dir={profile}", "--window-size=1000,1400"),
        "--host-resolver-rules=MAP * ~NOTFOUND, EXCLUDE 127.0.0.1",
    ]
    command = ["bash", "-c", f'exec "$@" 3<&{taken} 4>&{given}', "bash", chromium, *options]
    process = subprocess.Popen(
        command, pass_fds=(taken, given), stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    )
    os.close(taken)
    os.close(given)
    with os.fdopen(commands, "wb") as writer, os.fdopen(answers, "rb") as reader:
        try:
            yield Page(writer, reader)
        finally:
            process.terminate()
            process.wait()
