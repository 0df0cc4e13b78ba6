"""How the end of a container is read from an engine's answers, as Podman 4.3 and Docker give them."""

from __future__ import annotations

from typing import Any

import docker.errors
import pytest
import requests

from kiln.core import EngineError
from kiln.engine import container
from kiln.engine.failures import engine_errors

GONE = docker.errors.NotFound("no such container")
REMOVED = {"StatusCode": 0, "Error": {"Message": "container 59551ab2fb30 does not exist in database"}}


class Ended:
    """A container of which an engine gives these answers, one for each call."""

    def __init__(
        self, *answers: dict[str, Any] | Exception, status: str = "exited", there: bool = True
    ) -> None:
        self.answers, self.status, self.there = list(answers), status, there

    def wait(self, timeout: int) -> dict[str, Any]:
        answer = self.answers.pop(0)
        if isinstance(answer, Exception):
            raise answer
        return answer

    def reload(self) -> None:
        if not self.there:
            raise GONE


def status(ended: Ended) -> int:
    return container.status(ended, 1)  # type: ignore[arg-type]


@pytest.mark.parametrize("error", [{}, {"Error": None}, {"Error": {"Message": ""}}])
def test_the_status_of_a_container_that_ended_is_what_the_engine_answers(error: dict[str, Any]) -> None:
    assert status(Ended({"StatusCode": 3, **error})) == 3


@pytest.mark.parametrize(
    "ended",
    [
        Ended(REMOVED, there=False),
        Ended(REMOVED),
        Ended({"StatusCode": 0}, there=False),
        Ended({"StatusCode": 137}, status="removing"),
        Ended(GONE, there=False),
    ],
)
def test_a_container_that_was_removed_has_not_succeeded(ended: Ended) -> None:
    with (
        pytest.raises(EngineError, match="a container was removed while it was in use"),
        engine_errors("Podman"),
    ):
        status(ended)


def test_a_container_that_runs_on_without_output_is_waited_for() -> None:
    late = requests.exceptions.ReadTimeout()
    assert status(Ended(late, late, {"StatusCode": 0}, status="running")) == 0


def test_an_engine_that_does_not_know_that_a_container_ended_is_not_waited_for() -> None:
    with pytest.raises(EngineError, match="stopped answering"), engine_errors("Podman"):
        status(Ended(requests.exceptions.ReadTimeout()))
