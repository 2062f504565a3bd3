"""Asking for an execution: the answer, repeats, waiting."""

import concurrent.futures

import pytest

from support import contract
from support.api import TERMINAL, Api, Json, data
from support.packs import unique

EXECUTE = "/api/v1/executions/execute"
HELLO: Json = {"action_ref": "core.echo", "parameters": {"message": "hello"}}


def test_the_answer(admin: Api) -> None:
    response = admin.post(EXECUTE, HELLO)
    execution = data(response, 201)
    assert execution.keys() >= contract.EXECUTION
    assert execution["status"] in ("requested", "scheduled", "running")
    assert execution["config"] == {"message": "hello"}
    assert execution["result"] is None
    assert execution["parent"] is None
    assert execution["executor"] == data(admin.get("/auth/me"))["id"]


def test_the_double_envelope(admin: Api) -> None:
    body = admin.post(EXECUTE, HELLO).json()
    inner = body.pop("data")
    body.pop("message", None)
    assert body == inner


def test_waiting_for_the_end(admin: Api) -> None:
    ended = admin.run("core.echo", {"message": "hello"})
    assert ended["status"] == "completed"
    assert ended["result"]["stdout"] == "hello"
    assert ended["created"] <= ended["started_at"] <= ended["updated"]


def test_waiting_gives_up(behaviour: Api) -> None:
    body = {"action_ref": "behaviour.sleeper", "parameters": {"seconds": 60}}
    execution = data(behaviour.post(EXECUTE, body, Prefer="wait=1"), 201)
    assert execution["status"] == "running"
    assert behaviour.cancel(execution["id"]).status_code == 200


@pytest.mark.parametrize("preference", ["wait=x", "wait=-1", "wait", "respond-async", ""])
def test_preferences_that_make_no_sense_are_ignored(admin: Api, preference: str) -> None:
    execution = data(admin.post(EXECUTE, HELLO, Prefer=preference), 201)
    assert execution["id"]


def test_the_same_key_gives_the_same_execution(admin: Api) -> None:
    key = unique("key")
    first = data(admin.post(EXECUTE, HELLO, Idempotency_Key=key), 201)
    again = data(admin.post(EXECUTE, HELLO, Idempotency_Key=key), 201)
    assert again["id"] == first["id"]
    assert data(admin.post(EXECUTE, HELLO), 201)["id"] != first["id"]


def test_the_same_key_with_another_body(admin: Api) -> None:
    key = unique("key")
    data(admin.post(EXECUTE, HELLO, Idempotency_Key=key), 201)
    other = {**HELLO, "parameters": {"message": "other"}}
    assert admin.post(EXECUTE, other, Idempotency_Key=key).status_code == 422


def test_the_same_key_at_the_same_time(admin: Api) -> None:
    key = unique("key")

    def submit(_: int) -> int:
        execution = data(admin.post(EXECUTE, HELLO, Idempotency_Key=key), 201)
        number: int = execution["id"]
        return number

    with concurrent.futures.ThreadPoolExecutor(8) as pool:
        assert len(set(pool.map(submit, range(8)))) == 1


def test_a_burst_all_ends(admin: Api) -> None:
    numbers = [admin.submit("core.echo", {"message": str(n)})["id"] for n in range(50)]
    for n, number in enumerate(numbers):
        ended = admin.ended(number)
        assert ended["status"] in TERMINAL
        assert ended["result"]["stdout"] == str(n)
