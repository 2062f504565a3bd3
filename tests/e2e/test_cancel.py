"""T3.23: cancelling, of what runs and of what does not yet."""

import concurrent.futures
import json
import time
from collections.abc import Callable

import pytest

from support.api import TERMINAL, Api, error
from support.packs import install_behaviour
from support.runs import begun
from support.server import LOGIN, PASSWORD, Server
from support.sse import listening, log_events


@pytest.mark.parametrize("action", ["busy", "sleeper"])
def test_cancel_interrupts_and_keeps_the_output(behaviour: Api, action: str) -> None:
    number = begun(behaviour, action)
    asked = time.monotonic()
    response = behaviour.cancel(number)
    assert response.status_code == 200
    assert response.json()["data"]["status"] in ("canceling", "cancelled")
    ended = behaviour.ended(number)
    assert time.monotonic() - asked < 2
    assert ended["status"] == "cancelled"
    result = ended["result"]
    assert (result["succeeded"], result["cancelled"]) == (False, True)
    assert result["error"]
    assert result["failure_reason"] == "cancelled"
    assert result["stdout"] == "begun"
    assert "done" not in "".join(event.data for event in log_events(behaviour, number, "stdout"))


def test_cancelling_again_is_a_conflict(behaviour: Api) -> None:
    number = begun(behaviour, "sleeper")
    assert behaviour.cancel(number).status_code == 200
    behaviour.ended(number)
    error(behaviour.cancel(number), 409, "CONFLICT")


def test_cancelling_what_has_ended(behaviour: Api) -> None:
    ended = behaviour.run("behaviour.say", {})
    error(behaviour.cancel(ended["id"]), 409, "CONFLICT")
    assert behaviour.execution(ended["id"])["result"] == ended["result"]


def test_unknown(behaviour: Api) -> None:
    error(behaviour.cancel(999_999_999), 404, "NOT_FOUND")


def test_without_the_grant(behaviour: Api, stranger: Api) -> None:
    number = begun(behaviour, "sleeper")
    assert stranger.cancel(number).status_code in (403, 404)
    assert behaviour.execution(number)["status"] == "running"
    assert behaviour.cancel(number).status_code == 200


def test_ten_at_the_same_time(behaviour: Api) -> None:
    """Some come too late; the execution is cancelled exactly once."""
    number = begun(behaviour, "busy")
    told = []
    with listening(behaviour, "/api/v1/executions/stream") as steps:
        with concurrent.futures.ThreadPoolExecutor(10) as pool:
            answers = list(pool.map(lambda _: behaviour.cancel(number).status_code, range(10)))
        assert behaviour.ended(number)["status"] == "cancelled"
        # Whatever was told twice was told before the end of a later run.
        later = behaviour.run("behaviour.say", {})["id"]
        for step in (json.loads(event.data) for event in steps):
            if step["entity_id"] == number:
                told.append(step["status"])
            if step["entity_id"] == later and step["status"] in TERMINAL:
                break
    assert set(answers) <= {200, 409}
    assert 200 in answers
    assert (told.count("canceling"), told.count("cancelled")) == (1, 1)


def test_cancelled_before_it_started(start_server: Callable[..., Server]) -> None:
    server = start_server(runners=1, places_per_runner=2)
    api = Api(server.url).login(LOGIN, PASSWORD)
    install_behaviour(api)
    hogs = [begun(api, "busy") for _ in range(2)]
    waiting = api.submit("behaviour.say", {"stdout": "x"})["id"]
    assert api.execution(waiting)["status"] in ("requested", "scheduled")
    assert api.cancel(waiting).json()["data"]["status"] == "cancelled"
    ended = api.ended(waiting)
    assert ended.get("started_at") is None
    assert ended["result"]["failure_reason"] == "cancelled"
    assert "stdout" not in ended["result"]
    error(api.cancel(waiting), 409, "CONFLICT")
    for hog in hogs:
        assert api.cancel(hog).status_code == 200
        assert api.ended(hog)["status"] == "cancelled"
    assert api.result("behaviour.say", {"stdout": "on it goes"})["stdout"] == "on it goes"
