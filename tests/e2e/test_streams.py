"""Server-sent events: statuses of executions, and their output as it is written."""

import threading

import pytest

from support.api import TERMINAL, Api, error, unauthenticated
from support.runs import begun
from support.sse import events, log_events, log_text, statuses


def test_statuses_of_one_execution(behaviour: Api) -> None:
    number = behaviour.submit("behaviour.sleeper", {"seconds": 0.3})["id"]
    seen = statuses(behaviour, number)
    assert seen[-1] == "completed"
    order = ["requested", "scheduling", "scheduled", "running", "completed"]
    assert [order.index(status) for status in seen] == sorted(order.index(s) for s in seen)


def test_a_stream_opened_after_the_end_says_so(behaviour: Api) -> None:
    ended = behaviour.run("behaviour.say", {})
    assert statuses(behaviour, ended["id"]) == ["completed"]


def test_a_failure_streams_too(behaviour: Api) -> None:
    number = behaviour.submit("behaviour.say", {"code": 1})["id"]
    assert statuses(behaviour, number)[-1] == "failed"


def test_all_executions(behaviour: Api) -> None:
    seen: set[str] = set()
    ready = threading.Event()

    def read() -> None:
        for event in events(behaviour, "/api/v1/executions/stream"):
            ready.set()
            seen.update(status for status in TERMINAL if f'"{status}"' in event.data)
            if {"completed", "failed"} <= seen:
                return

    reader = threading.Thread(target=read, daemon=True)
    reader.start()
    while reader.is_alive():
        behaviour.run("behaviour.say", {})
        behaviour.run("behaviour.say", {"code": 1})
        reader.join(0.05)
    assert {"completed", "failed"} <= seen


def test_an_unknown_execution_has_no_stream(behaviour: Api) -> None:
    path = "/api/v1/executions/stream"
    error(behaviour.get(path, execution_id=999_999_999), 404, "NOT_FOUND")


def test_output_arrives_while_it_runs(behaviour: Api) -> None:
    number = begun(behaviour, seconds=60)
    assert behaviour.execution(number)["status"] == "running"
    assert behaviour.cancel(number).status_code == 200


@pytest.mark.parametrize("stream", ["stdout", "stderr"])
def test_output_after_the_end(behaviour: Api, stream: str) -> None:
    ended = behaviour.run("behaviour.say", {"stdout": "out\nput\n", "stderr": "err\nor\n"})
    seen = log_events(behaviour, ended["id"], stream)
    assert log_text(seen) == ("out\nput\n" if stream == "stdout" else "err\nor\n")
    assert seen[-1].name == "done"
    assert {event.name for event in seen} <= {"waiting", "content", "append", "done"}


def test_reading_on_from_an_offset(behaviour: Api) -> None:
    ended = behaviour.run("behaviour.say", {"stdout": "0123456789"})
    assert log_text(log_events(behaviour, ended["id"], "stdout", offset=4)) == "456789"
    assert log_text(log_events(behaviour, ended["id"], "stdout", offset=10)) == ""
    assert log_text(log_events(behaviour, ended["id"], "stdout", offset=99)) == ""


def test_an_event_s_id_is_where_to_read_on(behaviour: Api) -> None:
    ended = behaviour.run("behaviour.flood", {"bytes": 1_000_000})
    seen = [one for one in log_events(behaviour, ended["id"], "stdout") if one.data]
    whole = log_text(seen)
    assert len(whole) == 1_000_000
    middle = next(one for one in seen if one.number is not None)
    rest = log_text(log_events(behaviour, ended["id"], "stdout", int(middle.number or 0)))
    assert whole.endswith(rest)


def test_a_silent_run(behaviour: Api) -> None:
    ended = behaviour.run("behaviour.say", {})
    seen = log_events(behaviour, ended["id"], "stdout")
    assert log_text(seen) == ""
    assert seen[-1].name == "done"


def test_whose_logs(behaviour: Api, anonymous: Api) -> None:
    ended = behaviour.run("behaviour.say", {"stdout": "x"})
    path = f"/api/v1/executions/{ended['id']}/logs"
    unauthenticated(anonymous.get(f"{path}/stdout/stream"))
    assert behaviour.get(f"{path}/other/stream").status_code in (400, 404, 422)
    error(behaviour.get("/api/v1/executions/999999999/logs/stdout/stream"), 404, "NOT_FOUND")
