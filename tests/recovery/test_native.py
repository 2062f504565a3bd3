"""Native runs when the server, or what starts them, is killed or stopped."""

import os
import signal
from collections.abc import Callable
from pathlib import Path

import pytest

from support.api import TERMINAL, Api
from support.native import Programs, Shell, python, shell
from support.packs import unique
from support.processes import marked, tree, zombies
from support.runs import begun
from support.server import Server
from support.wait import wait_until

SignIn = Callable[[Server], Api]
StartServer = Callable[..., Server]

# Nothing of it ends by itself.
DEAF = "trap '' TERM HUP INT; setsid sleep 600 & (setsid sleep 600 &); echo begun; sleep 600"


def launchers(server: Server) -> list[int]:
    """What starts native runs, and the first processes of those."""
    found = []
    for pid in tree(server.pid)[1:]:
        words = Path(f"/proc/{pid}/cmdline").read_bytes().split(b"\0")
        if b"native-launcher" in words:
            found.append(pid)
    return found


def begin(api: Api, sign: str, script: str = DEAF) -> int:
    """A run of several processes that have this sign, in the middle of it."""
    number: int = api.submit(Shell(api).action(script), env_vars={"SIGN": sign})["id"]
    wait_until(lambda: len(marked(sign)) >= 3, what="its processes")
    return number


def test_nothing_outlives_a_killed_server(small_server: Server, signed_in: SignIn) -> None:
    sign = unique("sign")
    api = signed_in(small_server)
    numbers = [begin(api, sign) for _ in range(3)]
    small_server.kill()
    wait_until(lambda: not marked(sign), what="the end of all")
    api = signed_in(small_server.start())
    for number in numbers:
        ended = api.ended(number)
        assert ended["status"] == "abandoned"
        assert ended["result"]["failure_reason"] == "runner_lost"
    assert Shell(api).says("echo again") == "again"


@pytest.mark.allow_log('"message":".*(launcher|native).*')
def test_a_killed_launcher_is_replaced(small_server: Server, signed_in: SignIn) -> None:
    sign = unique("sign")
    api = signed_in(small_server)
    number = begin(api, sign)
    before = launchers(small_server)
    assert before
    os.kill(before[0], signal.SIGKILL)
    ended = api.ended(number)
    assert ended["status"] == "abandoned"
    assert ended["result"]["failure_reason"] == "runner_lost"
    wait_until(lambda: not marked(sign), what="the end of all")
    assert Shell(api).says("echo again") == "again"
    assert zombies(small_server.pid) == []


@pytest.mark.allow_log('"message":".*(launcher|native).*')
def test_a_killed_init_ends_its_run_alone(small_server: Server, signed_in: SignIn) -> None:
    """The first process of a run is the parent of what carries its sign."""
    sign, other = unique("sign"), unique("sign")
    api = signed_in(small_server)
    lost, kept = begin(api, sign), begin(api, other)
    [init] = {parent(pid) for pid in marked(sign)} - set(marked(sign))
    os.kill(init, signal.SIGKILL)
    assert api.ended(lost)["status"] == "abandoned"
    assert marked(sign) == []
    assert api.execution(kept)["status"] == "running"
    assert len(marked(other)) >= 3
    assert Shell(api).says("echo again") == "again"


def parent(pid: int) -> int:
    return int(Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[1])


def test_a_killed_program_is_an_end_like_any(small_server: Server, signed_in: SignIn) -> None:
    sign = unique("sign")
    api = signed_in(small_server)
    action = Shell(api).action("exec sleep 600")
    number = api.submit(action, env_vars={"SIGN": sign})["id"]
    [program] = wait_until(lambda: marked(sign), what="the program")
    os.kill(program, signal.SIGKILL)
    ended = api.ended(number)
    assert (ended["status"], ended["result"]["exit_code"]) == ("failed", 137)


def test_running_work_finishes(small_server: Server, signed_in: SignIn) -> None:
    api = signed_in(small_server)
    script = Shell(api)
    running = [script.begun("echo begun; sleep 2; echo done") for _ in range(2)]
    small_server.ask_to_stop()
    assert small_server.wait() == 0
    api = signed_in(small_server.start())
    for number in running:
        ended = api.execution(number)
        assert ended["status"] == "completed"
        assert ended["result"]["stdout"] == "begun\ndone"


def test_ctrl_c_lets_running_work_finish(small_server: Server, signed_in: SignIn) -> None:
    number = Shell(signed_in(small_server)).begun("echo begun; sleep 1; echo done")
    small_server.interrupt()
    assert small_server.wait() == 0
    ended = signed_in(small_server.start()).execution(number)
    assert (ended["status"], ended["result"]["stdout"]) == ("completed", "begun\ndone")


@pytest.mark.allow_log("the time to finish is over")
def test_draining_has_an_end(start_server: StartServer, signed_in: SignIn) -> None:
    server = start_server(drain_seconds=1)
    sign = unique("sign")
    number = begin(signed_in(server), sign)
    server.ask_to_stop()
    assert server.wait(15) == 0
    assert marked(sign) == []
    ended = signed_in(server.start()).ended(number)
    assert ended["status"] in TERMINAL - {"completed"}
    assert ended["result"]["error"]


def test_output_before_the_kill_is_kept(small_server: Server, signed_in: SignIn) -> None:
    api = signed_in(small_server)
    number = Shell(api).begun("echo begun; sleep 600")
    small_server.kill()
    api = signed_in(small_server.start())
    path = f"/api/v1/executions/{number}/logs/stdout/stream"
    assert "begun" in api.get(path).text


def test_what_may_run_again_does(small_server: Server, signed_in: SignIn) -> None:
    api = signed_in(small_server)
    pack = Programs(api, run=shell("echo begun; sleep 1; echo done", on_lost="rerun"))
    number = pack.begun("run")
    small_server.kill()
    ended = signed_in(small_server.start()).ended(number)
    assert (ended["status"], ended["result"]["stdout"]) == ("completed", "begun\ndone")


def test_both_kinds_share_the_places(
    start_server: Callable[..., Server], signed_in: SignIn
) -> None:
    """A server has so many places, whatever runs in them."""
    server = start_server(runners=1, places_per_runner=2)
    api = signed_in(server)
    pack = Programs(
        api,
        native=shell("echo begun; sleep 600"),
        wasm=python("import time\nprint('begun', flush=True)\ntime.sleep(600)", runner="wasm"),
    )
    numbers = [begun(api, "native", pack.ref), begun(api, "wasm", pack.ref)]
    waiting = api.submit(Shell(api).action("echo late"))["id"]
    assert api.execution(waiting)["status"] in ("requested", "scheduled")
    assert api.cancel(numbers[0]).status_code == 200
    assert api.ended(waiting)["result"]["stdout"] == "late"
    assert api.cancel(numbers[1]).status_code == 200
    assert api.ended(numbers[1])["status"] == "cancelled"
