"""What a hostile action finds when it looks for a way out, through the whole product."""

import socket

import pytest

from support.api import Api, data
from support.packs import small_pack, unique
from support.server import HOST_CANARY, Server

LOOK = """
import json, os, sys
def look(what):
    try:
        return repr(what())
    except BaseException as problem:
        return f"refused: {type(problem).__name__}"
def read(path):
    with open(path, "rb") as file:
        return file.read(200)
paths = json.load(sys.stdin)["paths"]
print(json.dumps({path: look(lambda: read(path)) for path in paths}))
"""

CONNECT = """
import json, sys
port = json.load(sys.stdin)["port"]
try:
    import socket
    socket.create_connection(("127.0.0.1", port), timeout=2)
    print(json.dumps("connected"))
except BaseException as problem:
    print(json.dumps(f"refused: {type(problem).__name__}"))
"""

WRITE = """
import json
def write(path):
    try:
        with open(path, "w") as file:
            file.write("x")
        return "written"
    except OSError as problem:
        return f"refused: {type(problem).__name__}"
paths = ("actions/write.py", "new.txt", "../new.txt", "/new.txt")
print(json.dumps([write(path) for path in paths]))
"""

REMEMBER = """
import json, os, sys, builtins, tempfile, pathlib
seen = getattr(builtins, "mark", None)
builtins.mark = "left behind"
scratch = pathlib.Path(tempfile.gettempdir())
files = sorted(path.name for path in scratch.iterdir())
(scratch / "left-behind").write_text("x")
print(json.dumps({"mark": seen, "files": files, "random": os.urandom(8).hex()}))
"""


@pytest.fixture
def hostile(admin: Api) -> str:
    ref = unique("hostile")
    pack = small_pack(ref, look=LOOK, connect=CONNECT, write=WRITE, remember=REMEMBER)
    data(admin.upload(pack), 201)
    return ref


def test_files_of_the_host(admin: Api, hostile: str, server: Server) -> None:
    other = unique("victim")
    data(admin.upload(small_pack(other)), 201)
    paths = [
        *("/etc/passwd", "../../etc/passwd", "/proc/self/environ", "/proc/1/environ"),
        *(str(server.data / "attune.db"), "../../attune.db", str(server.log)),
        *(f"../{other}/pack.yaml", "/dev/mem", "/work/../etc/shadow"),
    ]
    seen = admin.result(f"{hostile}.look", {"paths": paths})["data"]
    assert {path: answer for path, answer in seen.items() if "refused" not in answer} == {}
    own = admin.result(f"{hostile}.look", {"paths": ["pack.yaml"]})["data"]
    assert hostile in own["pack.yaml"], "the control: its own files can be read"
    assert HOST_CANARY not in str(seen)


def test_the_network(admin: Api, hostile: str) -> None:
    with socket.create_server(("127.0.0.1", 0)) as open_port:
        port = open_port.getsockname()[1]
        assert "refused" in admin.result(f"{hostile}.connect", {"port": port})["data"]


def test_the_pack_cannot_be_changed(admin: Api, hostile: str) -> None:
    answers = admin.result(f"{hostile}.write")["data"]
    assert all("refused" in answer for answer in answers), answers
    assert admin.result(f"{hostile}.write")["data"] == answers


def test_runs_share_nothing(admin: Api, hostile: str) -> None:
    runs = [admin.result(f"{hostile}.remember")["data"] for _ in range(12)]
    assert all(run["mark"] is None for run in runs)
    assert all("left-behind" not in run["files"] for run in runs)
    assert len({run["random"] for run in runs}) == len(runs)


@pytest.mark.parametrize(
    ("source", "reasons"),
    [
        ("x = []\nwhile True: x.append(bytearray(1_000_000))\n", {"memory", "exit"}),
        (
            "def f(n): return f(n + 1)\nimport sys\nsys.setrecursionlimit(10**9)\nf(0)\n",
            {"trap", "exit", "memory"},
        ),
        ("import os\nos._exit(9)\n", {"exit"}),
        ("import os\nos.abort()\n", {"trap", "exit"}),
    ],
    ids=["memory", "recursion", "exit", "abort"],
)
def test_a_bad_end_harms_nobody_else(admin: Api, source: str, reasons: set[str]) -> None:
    ref = unique("hostile")
    data(admin.upload(small_pack(ref, run=source, good="print(1)\n")), 201)
    ended = admin.run(f"{ref}.run")
    assert ended["status"] == "failed"
    assert ended["result"]["failure_reason"] in reasons, ended["result"]
    assert ended["result"]["error"]
    assert admin.result(f"{ref}.good")["data"] == 1
