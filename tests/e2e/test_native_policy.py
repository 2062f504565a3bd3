"""Who may run natively: `--native-runs off` refuses before anything is spawned."""

from collections.abc import Callable
from pathlib import Path

import pytest

from conftest import database
from support.api import Api, Json
from support.cli import Cli
from support.native import Programs, Shell, native, node, python, shell
from support.packs import unique
from support.processes import marked, tree
from support.server import LOGIN, PASSWORD, Server

StartServer = Callable[..., Server]


@pytest.fixture(params=["sqlite", "postgres"])
def closed(start_server: StartServer, request: pytest.FixtureRequest) -> Server:
    """A server that runs nothing natively."""
    return start_server(native_runs="off", **database(request))


@pytest.fixture
def admin(closed: Server) -> Api:
    return Api(closed.url).login(LOGIN, PASSWORD)


def refused(ended: Json) -> None:
    assert ended["status"] == "failed"
    result = ended["result"]
    assert (result["succeeded"], result["failure_reason"]) == (False, "policy"), result
    assert "--native-runs" in result["error"]
    assert ended["action_ref"] in result["error"]
    assert result["usage"]["wall_ms"] == 0
    assert result.keys().isdisjoint({"exit_code", "stdout", "runner"})


def arguments(server: Server) -> list[bytes]:
    """What each process of the server was started as."""
    return sorted(Path(f"/proc/{pid}/cmdline").read_bytes() for pid in tree(server.pid))


def test_nothing_runs_natively(admin: Api, closed: Server) -> None:
    before = arguments(closed)
    assert not [words for words in before if b"native" in words.split(b"\0")[1]]
    sign = unique("sign")
    pack = Programs(
        admin,
        shell=shell("touch /tmp/spawned"),
        python=python("print(1)"),
        node=node("console.log(1)"),
        native=native("#!/bin/sh\necho 1"),
    )
    for action in ("shell", "python", "node", "native"):
        refused(pack.run(action, env_vars={"SIGN": sign}))
    script = Shell(admin)
    refused(script.run("touch /tmp/spawned", env_vars={"SIGN": sign}))
    refused(script.run("echo.sh"))
    assert marked(sign) == []
    assert arguments(closed) == before


def test_the_sandbox_goes_on(admin: Api) -> None:
    assert admin.result("core.echo", {"message": "hello"})["stdout"] == "hello"
    pack = Programs(
        admin, wasm=python("print(1)", runner="wasm"), auto=python("print(1)", runner="auto")
    )
    for action in ("wasm", "auto"):
        assert pack.says(action) == "1"


def test_what_would_fail_anyway_is_told_as_well(admin: Api) -> None:
    """An action that no setting would let run names its own problem."""
    ended = Programs(admin, run=shell("echo hi", runner="wasm")).run("run")
    assert "runner: wasm" in ended["result"]["error"]


def test_a_refusal_can_be_asked_for_like_any_end(admin: Api) -> None:
    script = Shell(admin)
    number = script.api.submit(script.action("echo hi"))["id"]
    refused(admin.ended(number))
    assert admin.cancel(number).status_code == 409


def test_a_refused_action_has_not_started(admin: Api) -> None:
    """`started_at` is when the process really starts (contract, executions section 2)."""
    assert Shell(admin).run("echo hi").get("started_at") is None


def test_the_setting_has_a_variable(start_server: StartServer) -> None:
    server = start_server(variables={"ATTUNE_NATIVE_RUNS": "off"})
    refused(Shell(Api(server.url).login(LOGIN, PASSWORD)).run("echo hi"))


def test_an_action_runs_once_it_may(start_server: StartServer, tmp_path: Path) -> None:
    """What was refused stays so, and the same data folder with another setting runs it."""
    server = start_server(data_dir=tmp_path / "data", native_runs="off")
    script = Shell(Api(server.url).login(LOGIN, PASSWORD))
    action = script.action("echo hi")
    refused(script.api.run(action))
    assert server.stop() == 0
    server = start_server(data_dir=tmp_path / "data", native_runs="on")
    assert Api(server.url).login(LOGIN, PASSWORD).result(action)["stdout"] == "hi"


def test_doctor_tells_what_there_is(tmp_path: Path) -> None:
    done = Cli(tmp_path).run("doctor", "--data-dir", str(tmp_path / "data"))
    report = done.stdout.lower()
    for subject in ("native", "bash", "python3", "node"):
        assert subject in report, done.stdout
