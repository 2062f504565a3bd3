"""T3.30: SIGTERM. Running work finishes, nothing new starts, exit code 0."""

import threading
from collections.abc import Callable

import httpx
import pytest

from support.api import TERMINAL, Api, data
from support.packs import install_behaviour
from support.runs import begun
from support.server import Server
from support.sse import events
from support.wait import wait_until

SignIn = Callable[[Server], Api]


def refused(api: Api) -> bool:
    """Whether the server takes no new work."""
    body = {"action_ref": "behaviour.say", "parameters": {}}
    try:
        return api.post("/api/v1/executions/execute", body).status_code == 503
    except httpx.TransportError:
        return True


def test_running_work_finishes(small_server: Server, signed_in: SignIn) -> None:
    api = signed_in(small_server)
    running = [begun(api, seconds=2) for _ in range(4)]
    waiting = [api.submit("behaviour.say", {"stdout": "later"})["id"] for _ in range(3)]
    small_server.ask_to_stop()
    wait_until(lambda: refused(api), what="a refusal of new work")
    assert small_server.wait() == 0

    api = signed_in(small_server.start())
    for number in running:
        ended = api.execution(number)
        assert ended["status"] == "completed"
        assert ended["result"]["stdout"] == "begun\ndone"
    for number in waiting:
        assert api.ended(number)["result"]["stdout"] == "later"


def test_ctrl_c_lets_running_work_finish(small_server: Server, signed_in: SignIn) -> None:
    number = begun(signed_in(small_server), seconds=1)
    small_server.interrupt()
    assert small_server.wait() == 0
    ended = signed_in(small_server.start()).execution(number)
    assert (ended["status"], ended["result"]["stdout"]) == ("completed", "begun\ndone")


@pytest.mark.allow_log("the time to finish is over")
def test_draining_has_an_end(start_server: Callable[..., Server], signed_in: SignIn) -> None:
    server = start_server(drain_seconds=1)
    api = signed_in(server)
    install_behaviour(api)
    number = begun(api)
    server.ask_to_stop()
    assert server.wait(10) == 0
    ended = signed_in(server.start()).ended(number)
    assert ended["status"] in TERMINAL - {"completed"}
    assert ended["result"]["error"]


def test_clients_that_listen_do_not_hold_it_up(small_server: Server, signed_in: SignIn) -> None:
    api = signed_in(small_server)
    heard = threading.Event()

    def listen() -> None:
        try:
            for _ in events(signed_in(small_server), "/api/v1/executions/stream"):
                heard.set()
        except httpx.TransportError:
            pass

    listener = threading.Thread(target=listen, daemon=True)
    listener.start()
    wait_until(lambda: api.run("behaviour.say", {}) and heard.is_set(), what="the first event")
    assert small_server.stop() == 0
    listener.join(5)
    assert not listener.is_alive()


def test_an_idle_server_stops_at_once(small_server: Server) -> None:
    small_server.ask_to_stop()
    assert small_server.wait(5) == 0


def test_a_second_start_finds_everything(small_server: Server, signed_in: SignIn) -> None:
    done = signed_in(small_server).run("behaviour.say", {"stdout": "kept"})
    assert small_server.stop() == 0
    api = signed_in(small_server.start())
    assert api.execution(done["id"]) == done
    assert data(api.get("/api/v1/packs/behaviour"))["ref"] == "behaviour"
