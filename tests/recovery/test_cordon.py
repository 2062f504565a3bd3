"""A cordoned worker finishes what it has and takes nothing new."""

from collections.abc import Callable
from pathlib import Path

from support.api import Api, page
from support.cli import Cli
from support.runs import begun
from support.server import LOGIN, PASSWORD, Server
from support.wait import wait_until

SignIn = Callable[[Server], Api]


def test_new_work_waits(small_server: Server, signed_in: SignIn) -> None:
    api = signed_in(small_server)
    [worker], _ = page(api.get("/api/v1/workers"))
    path = f"/api/v1/workers/{worker['id']}"
    running = begun(api, seconds=1)
    cordoned = api.post(f"{path}/cordon", {"reason": "new disk"}).json()
    assert (cordoned["health_state"], cordoned["cordon_reason"]) == ("cordoned", "new disk")
    assert cordoned["cordoned_by"] == 1

    wait_until(lambda: waits(api), what="the cordon to be heeded")
    assert api.ended(running)["status"] == "completed"

    open_again = api.post(f"{path}/uncordon", {}).json()
    assert open_again["cordoned"] is False
    assert [open_again[f"cordon{key}"] for key in ("_reason", "ed_by", "ed_at")] == [None] * 3
    assert api.result("behaviour.say", {"stdout": "again"})["stdout"] == "again"
    wait_until(lambda: not unfinished(api), what="what waited to be run")


def waits(api: Api) -> bool:
    """Whether an execution is left in the queue, though there is a place for it."""
    number = api.submit("behaviour.say", {"stdout": "x"})["id"]
    body = {"action_ref": "behaviour.say", "parameters": {"stdout": "y"}}
    api.post("/api/v1/executions/execute", body, Prefer="wait=1")
    return bool(api.execution(number)["status"] == "requested")


def unfinished(api: Api) -> int:
    stats = api.get("/api/v1/executions/stats").json()["data"]
    return int(stats["pending"] + stats["running"])


def test_from_the_command_line(small_server: Server, signed_in: SignIn, tmp_path: Path) -> None:
    api = signed_in(small_server)
    cli = Cli(tmp_path, {"ATTUNE_URL": small_server.url})
    cli.run("login", LOGIN, ATTUNE_PASSWORD=PASSWORD)
    [worker], _ = page(api.get("/api/v1/workers"))
    number = str(worker["id"])
    assert "cordoned" in cli.told("worker", "cordon", number, "--reason", "new disk")
    assert "new disk" in cli.out("worker", "list")
    cli.told("worker", "uncordon", number)
    assert "new disk" not in cli.out("worker", "list")
