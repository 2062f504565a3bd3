"""Runs that a test wants in the middle of what they do."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from support.api import TERMINAL, Api, data, error
from support.processes import marked
from support.sse import events
from support.wait import wait_until


def begun(api: Api, action: str = "sleeper", pack: str = "behaviour", **parameters: Any) -> int:
    """Start an action that says when it has begun; return its execution once it did."""
    number: int = api.submit(f"{pack}.{action}", parameters)["id"]
    path = f"/api/v1/executions/{number}/logs/stdout/stream"
    assert any("begun" in event.data for event in events(api, path))
    return number


@contextmanager
def going_on(api: Api, number: int, sign: str = "", processes: int = 1) -> Iterator[int]:
    """A run that is cancelled after it was looked at; begun if so many processes of it have this
    sign in their environment."""
    try:
        while sign and len(marked(sign)) < processes:
            assert api.execution(number)["status"] not in TERMINAL, api.execution(number)
        yield number
    finally:
        api.cancel(number)
        ended = api.ended(number)
    assert ended["status"] == "cancelled", ended


def accepted_until_full(api: Api) -> list[int]:
    """Ask for runs until the server says that the disk is full; return those it still took."""
    accepted: list[int] = []
    body = {"action_ref": "behaviour.say", "parameters": {"stdout": "x" * 20_000}}

    def refusal() -> str:
        response = api.post("/api/v1/executions/execute", body)
        if response.status_code == 201:
            # The database still had room in its own files.
            accepted.append(data(response, 201)["id"])
            return ""
        return error(response, 507, "INSUFFICIENT_STORAGE")

    wait_until(refusal, timeout=30, what="a refusal")
    return accepted
