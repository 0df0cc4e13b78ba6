"""The failures of a container engine as EngineError."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator

import docker.errors
import requests
import urllib3

from kiln.core import EngineError

# What the client raises when the engine stops answering.
LOST = (
    requests.exceptions.ConnectionError,
    requests.exceptions.ChunkedEncodingError,
    requests.exceptions.ReadTimeout,
    urllib3.exceptions.ProtocolError,
    urllib3.exceptions.ReadTimeoutError,
)


@contextlib.contextmanager
def engine_errors(name: str) -> Iterator[None]:
    """Raise the failures of the engine `name` as EngineError."""
    try:
        yield
    except LOST as error:
        raise EngineError(
            f"the container engine ({name}) stopped answering",
            "start it again and run the same command, which goes on from the caches",
        ) from error
    except docker.errors.DockerException as error:
        if isinstance(error, docker.errors.NotFound) and not isinstance(error, docker.errors.ImageNotFound):
            raise EngineError(
                f"a container was removed while it was in use ({name}: {first_line(error)})",
                "run the same command again, which goes on from the caches",
            ) from error
        raise EngineError(
            f"the container engine ({name}) refused a request ({first_line(error)})",
            "`./inv doctor` shows what is missing",
        ) from error


def first_line(error: Exception) -> str:
    """The first line of an error's text; the name of its class if it has none."""
    text = str(getattr(error, "explanation", None) or error)
    return text.strip().splitlines()[0] if text.strip() else type(error).__name__
