"""Server-sent events, as far as the contract uses them."""

import json
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from support.api import TERMINAL, Api


@dataclass
class Event:
    """One event; `name` is `message` when the stream gives none."""

    name: str
    number: str | None
    data: str


@contextmanager
def listening(api: Api, path: str, **query: Any) -> Iterator[Iterator[Event]]:
    """A stream that is open: what happens from now on is among its events."""
    with api.http.stream("GET", path, params=query) as response:
        assert response.status_code == 200, response.read()
        assert response.headers["content-type"].startswith("text/event-stream")
        yield _parsed(response.iter_lines())


def events(api: Api, path: str, **query: Any) -> Iterator[Event]:
    """Events of a stream until the server ends it or the caller stops reading."""
    with listening(api, path, **query) as seen:
        yield from seen


def _parsed(stream: Iterator[str]) -> Iterator[Event]:
    name, number = "message", None
    lines: list[str] = []
    for line in stream:
        field, _, value = line.partition(":")
        value = value.removeprefix(" ")
        if line == "":
            if lines:
                yield Event(name, number, "\n".join(lines))
            name, number, lines = "message", None, []
        elif field == "event":
            name = value
        elif field == "id":
            number = value
        elif field == "data":
            lines.append(value)


def statuses(api: Api, execution: int) -> list[str]:
    """The statuses an execution goes through, from the stream, until it is over."""
    seen = []
    for event in events(api, "/api/v1/executions/stream", execution_id=execution):
        payload = json.loads(event.data)
        assert event.name == "message", "the contract has no event: line here"
        assert payload["entity_type"] == "execution"
        assert payload["entity_id"] == execution
        seen.append(payload["status"])
        if payload["status"] in TERMINAL:
            break
    return seen


def log_events(api: Api, execution: int, stream: str, offset: int = 0) -> list[Event]:
    """All events of a log stream, to its `done`."""
    path = f"/api/v1/executions/{execution}/logs/{stream}/stream"
    seen = []
    for event in events(api, path, offset=offset):
        seen.append(event)
        if event.name == "done":
            break
    return seen


def log_text(seen: list[Event]) -> str:
    return "".join(event.data for event in seen if event.name in ("content", "append"))
