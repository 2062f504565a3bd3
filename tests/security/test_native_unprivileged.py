"""The walls of native runs when the server itself is an ordinary user."""

import os
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from support.api import SECRETS, Api
from support.logs import LogCheck
from support.native import Programs, Shell, hostile, python, shell
from support.packs import unique
from support.processes import marked
from support.runs import going_on
from support.server import CACHE, HOST_CANARY, LOGIN, PASSWORD, Server

USER = 54_321


@pytest.fixture(scope="module")
def shared_server() -> Iterator[Server]:
    """In the place of the one that other tests share."""
    if os.geteuid() != 0:
        pytest.skip("the other servers of these tests are ordinary users already")
    home = Path(tempfile.mkdtemp(prefix="attune-ordinary-"))
    server = Server(home, None)
    server.shares_cache = False
    if CACHE.exists():
        shutil.copytree(CACHE, server.data / "cache")
    home.chmod(0o755)
    subprocess.run(["chown", "-R", f"{USER}:{USER}", str(home)], check=True)
    ids = ("--reuid", str(USER), "--regid", str(USER), "--clear-groups")
    server.within = ("setpriv", *ids)
    server.variables["HOME"] = str(home)
    try:
        yield server.start()
        assert server.stop() == 0
        assert not LogCheck(server.log, SECRETS, 0).problems()
    finally:
        server.close()
        shutil.rmtree(home)


@pytest.fixture
def admin(server: Server) -> Api:
    return Api(server.url).login(LOGIN, PASSWORD)


def test_it_is_confined_as_well(admin: Api) -> None:
    result = Shell(admin).run("id -u; cat pack.yaml 2>&- || echo no pack; echo x > /tmp/x")[
        "result"
    ]
    assert result["runner"]["confinement"]["level"] == "full"
    assert result["stdout"].splitlines()[0] != "0"


def test_who_it_is(admin: Api) -> None:
    who = Programs(admin, who=hostile("who", output_format="json")).data("who")
    assert {who["status"][name] for name in ("CapPrm", "CapEff", "CapBnd", "CapAmb")} == {"0" * 16}
    assert (who["status"]["NoNewPrivs"], who["status"]["Seccomp"]) == ("1", "2")
    assert who["becomes_root"] == [False, False, False]
    assert who["descriptors"] == [0, 1, 2]
    assert "serve" not in str(who["commands"])


def test_files_of_the_server_s_user(admin: Api, server: Server) -> None:
    """That it has the same user outside opens nothing."""
    files = [str(server.data / "attune.db"), str(server.log), "/proc/1/environ", "/etc/shadow"]
    folders = [str(server.data), str(server.home), "/root", "/home"]
    look = Programs(admin, look=hostile("look", output_format="json"))
    answer = look.data("look", {"read": files, "list": folders, "write": files})
    told = [*answer["read"].values(), *answer["list"].values(), *answer["write"].values()]
    assert all("refused" in text for text in told), answer
    assert HOST_CANARY not in str(answer)


def test_system_calls(admin: Api) -> None:
    answers = Programs(admin, run=hostile("syscalls", output_format="json")).data("run")
    allowed = {"EPERM", "ENOSYS", "EACCES"}
    assert {name: told for name, told in answers.items() if told not in allowed} == {}


def test_the_pack_is_there_and_cannot_be_changed(admin: Api) -> None:
    pack = Programs(
        admin,
        {"data/x": b"hi\n"},
        run=shell("cat data/x; touch x 2>&-; chmod 777 data 2>&-; mv data y 2>&-; ls"),
    )
    assert pack.run("run")["result"]["stdout"].split() == ["hi", "actions", "data", "pack.yaml"]


def test_runs_do_not_see_each_other(admin: Api) -> None:
    pack = Programs(admin, run=hostile("neighbour", output_format="json"))
    with going_on(admin, pack.begun("run", stays=True)):
        assert pack.data("run") == []


@pytest.mark.parametrize("end", ["exit 0", "sleep 600"])
def test_nothing_is_left(admin: Api, end: str) -> None:
    sign = unique("sign")
    text = f"setsid sleep 600 & nohup sleep 600 > /dev/null 2>&1 & (setsid sleep 600 &); {end}"
    Programs(admin, run=shell(text, timeout=1)).run("run", env_vars={"SIGN": sign})
    assert marked(sign) == []


def test_a_fork_bomb(admin: Api, server: Server) -> None:
    """The server's user is not out of processes."""
    sign = unique("sign")
    source = """
        import os, time
        while True:
            try:
                if os.fork() == 0:
                    time.sleep(600)
            except OSError:
                time.sleep(0.1)
    """
    pack = Programs(admin, bomb=python(source, timeout=4), small=shell("sleep 0.1; echo fine"))
    number = admin.submit(f"{pack.ref}.bomb", env_vars={"SIGN": sign})["id"]
    while len(marked(sign)) < 100:
        assert admin.execution(number)["status"] in ("requested", "scheduled", "running")
    assert pack.says("small") == "fine"
    assert admin.result("core.echo", {"message": "fine"})["stdout"] == "fine"
    assert admin.ended(number)["result"]["failure_reason"] == "deadline"
    assert marked(sign) == []
    assert server.running


def test_signals_stay_inside(admin: Api, server: Server) -> None:
    script = Shell(admin)
    told = script.says(f"kill -0 {server.pid} 2>&- && echo reached; kill -9 -1 2>&- || echo alone")
    assert told == "alone"
    assert server.running
