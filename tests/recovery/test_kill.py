"""The server is killed: every 201 is still there, and everything ends."""

import concurrent.futures
import os
import signal
import socket
from collections.abc import Callable

import httpx
import pytest

from support.api import TERMINAL, Api, Json, data
from support.processes import alive, children, tree
from support.runs import begun
from support.server import Server
from support.sse import events
from support.wait import wait_until

SignIn = Callable[[Server], Api]


def abandoned(execution: Json) -> None:
    shared = execution["result"]["worker"]["name"] != "attune-standalone"
    worker_name = f"attune-{socket.gethostname()}" if shared else "attune-standalone"
    assert execution["status"] == "abandoned", execution
    result = execution["result"]
    assert result["succeeded"] is False
    assert result["failure_reason"] == "runner_lost"
    assert result["error"]
    assert result["abandoned_by"] == "execution_timeout_monitor"
    assert result["original_status"] == "running"
    assert result["worker"] == {
        "id": execution["worker"],
        "name": worker_name,
        "cordoned": False,
    }


def test_what_ran_is_abandoned_and_what_waited_runs(
    small_server: Server, signed_in: SignIn
) -> None:
    api = signed_in(small_server)
    running = [begun(api) for _ in range(4)]
    waiting = [api.submit("behaviour.say", {"stdout": str(n)})["id"] for n in range(40)]
    small_server.kill()

    api = signed_in(small_server.start())
    for n, number in enumerate(waiting):
        ended = api.ended(number)
        assert ended["status"] == "completed"
        assert ended["result"]["stdout"] == str(n)
    for number in running:
        abandoned(api.ended(number))


def test_what_may_run_again_does(small_server: Server, signed_in: SignIn) -> None:
    api = signed_in(small_server)
    number = begun(api, "sleeper_rerun", seconds=1)
    small_server.kill()
    ended = signed_in(small_server.start()).ended(number)
    assert ended["status"] == "completed"
    assert ended["result"]["stdout"] == "begun\ndone"


def test_output_before_the_kill_is_kept(small_server: Server, signed_in: SignIn) -> None:
    api = signed_in(small_server)
    number = begun(api)
    small_server.kill()
    api = signed_in(small_server.start())
    path = f"/api/v1/executions/{number}/logs/stdout/stream"
    assert "begun" in "".join(event.data for event in events(api, path))


@pytest.mark.parametrize("after", [1, 30, 100])
def test_every_201_survives(small_server: Server, signed_in: SignIn, after: int) -> None:
    """Killed in the middle of a burst of submissions."""
    api = signed_in(small_server)
    promised: list[int] = []

    def submit_until_killed(_: int) -> None:
        body = {"action_ref": "behaviour.say", "parameters": {"stdout": "x"}}
        while True:
            try:
                response = api.post("/api/v1/executions/execute", body)
            except httpx.TransportError:
                return
            promised.append(data(response, 201)["id"])

    with concurrent.futures.ThreadPoolExecutor(8) as pool:
        submitters = [pool.submit(submit_until_killed, n) for n in range(8)]
        wait_until(lambda: len(promised) >= after, what="submissions")
        small_server.kill()
        for submitter in submitters:
            submitter.result()

    api = signed_in(small_server.start())
    for number in promised:
        ended = api.ended(number)
        if ended["status"] != "completed":
            abandoned(ended)
    # Some were committed and never answered for; they end as well.
    wait_until(lambda: nothing_unfinished(api), timeout=30, what="the rest to end")


def nothing_unfinished(api: Api) -> bool:
    stats = data(api.get("/api/v1/executions/stats"))
    return (stats["pending"], stats["running"]) == (0, 0)


def test_no_runner_outlives_the_server(small_server: Server, signed_in: SignIn) -> None:
    begun(signed_in(small_server), "busy")
    below = tree(small_server.pid)[1:]
    assert below
    small_server.kill()
    wait_until(lambda: not any(map(alive, below)), what="the runners to end")


@pytest.mark.allow_log('"message":"a (spare )?runner (died|could not be bound)')
@pytest.mark.allow_log('"message":"the launcher of native runs has died')
def test_killed_runners_are_replaced(small_server: Server, signed_in: SignIn) -> None:
    """The server lives on; only what they ran is lost."""
    api = signed_in(small_server)
    running = [begun(api) for _ in range(4)]
    for child in children(small_server.pid):
        os.kill(child, signal.SIGKILL)
    for number in running:
        abandoned(api.ended(number))
    assert api.result("behaviour.say", {"stdout": "again"})["stdout"] == "again"
    assert small_server.running


def test_tokens_and_packs_survive(small_server: Server, signed_in: SignIn) -> None:
    api = signed_in(small_server)
    small_server.kill()
    small_server.start()
    again = Api(small_server.url, api.token)
    assert data(again.get("/api/v1/packs/behaviour"))["version"] == "1.0.0"
    assert again.run("behaviour.say", {})["status"] in TERMINAL
