"""Native runs that take all they can get, or will not end: each meets its limit, nothing of it is
left, and others are served meanwhile."""

import shutil
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from support.api import Api, Json
from support.native import Program, Programs, Shell, python, shell
from support.packs import unique
from support.processes import marked, tree, zombies
from support.server import Server

MIB = 1 << 20

FORKS = """
import os, signal, time
# Twice away from its parent, in sessions of their own, deaf to everything that can be ignored.
for _ in range(3):
    if os.fork() == 0:
        os.setsid()
        for number in set(signal.Signals) - {signal.SIGKILL, signal.SIGSTOP, signal.SIGCHLD}:
            signal.signal(number, signal.SIG_IGN)
        if os.fork() != 0:
            os._exit(0)
        for descriptor in range(3):
            os.close(descriptor)
        while True:
            time.sleep(600)
print("begun", flush=True)
"""
# Whoever is killed has been replaced already.
HYDRA = """
import os, sys, time
print("begun", flush=True)
def head(left):
    while True:
        with_child = os.fork() if left else -1
        if with_child == 0:
            head(left - 1)
        if with_child > 0:
            os.waitpid(with_child, 0)
        else:
            time.sleep(0.05)
            os._exit(0)
head(5)
"""


@pytest.fixture
def sign() -> Iterator[str]:
    """In the environment of a run, by which its processes are known; none of them is left."""
    sign = unique("sign")
    yield sign
    assert marked(sign) == []


@pytest.fixture(autouse=True)
def buried(server: Server) -> Iterator[None]:
    yield
    assert zombies(server.pid) == []


@contextmanager
def others_are_served(api: Api) -> Iterator[list[Json]]:
    """Runs small actions of both kinds all the while, and at least once."""
    script = Shell(api)
    action = script.action("echo native")
    ended: list[Json] = []
    over = threading.Event()

    def go_on() -> None:
        while True:
            ended.append(api.run(action))
            ended.append(api.run("core.echo", {"message": "sandboxed"}))
            if over.is_set():
                return

    thread = threading.Thread(target=go_on)
    thread.start()
    try:
        yield ended
    finally:
        over.set()
        thread.join()
    told = [(execution["status"], execution["result"].get("stdout")) for execution in ended]
    assert set(told) == {("completed", "native"), ("completed", "sandboxed")}


def limited(ended: Json, reason: str) -> Json:
    """The result of a run that met this limit."""
    assert ended["status"] == "failed", ended
    result: Json = ended["result"]
    assert (result["failure_reason"], result["exit_code"]) == (reason, -1), result
    assert result["error"]
    return result


# Processes.


@pytest.mark.parametrize("end", ["by itself", "timeout", "cancel"])
@pytest.mark.parametrize("source", [FORKS, HYDRA], ids=["daemons", "hydra"])
def test_whatever_it_started_is_gone(admin: Api, sign: str, source: str, end: str) -> None:
    last = {"by itself": "", "timeout": "time.sleep(600)", "cancel": "time.sleep(600)"}[end]
    if source == HYDRA and end == "by itself":
        source = source.replace("\nhead(5)", "\nif os.fork() == 0:\n    head(5)\ntime.sleep(0.3)")
    manifest = {"timeout": 2} if end == "timeout" else {}
    pack = Programs(admin, run=python(f"{source}\n{last}\n", **manifest))
    number = admin.submit(f"{pack.ref}.run", env_vars={"SIGN": sign})["id"]
    if end == "cancel":
        while len(marked(sign)) < 4:
            assert admin.execution(number)["status"] in ("requested", "scheduled", "running")
        assert admin.cancel(number).status_code == 200
    ended = admin.ended(number, 50)
    expected = {"by itself": "completed", "timeout": "failed", "cancel": "cancelled"}
    assert ended["status"] == expected[end], ended
    assert ended["result"]["stdout"] == "begun"
    assert marked(sign) == []


@pytest.mark.parametrize(
    "bomb",
    [
        "bomb() { bomb | bomb & }; bomb; sleep 600",
        "while :; do sleep 600 & done",
        "while :; do (setsid sleep 600 &) ; done",
        "exec perl -e 'fork while 1'",
    ],
)
def test_a_fork_bomb(admin: Api, sign: str, bomb: str) -> None:
    pack = Programs(admin, bomb=shell(f"exec 2>&-; {bomb}", timeout=3))
    with others_are_served(admin):
        ended = pack.run("bomb", env_vars={"SIGN": sign})
    # It either goes on until its time is over, or bash gives up for want of a process.
    assert ended["status"] == "failed"
    assert ended["result"]["failure_reason"] in ("deadline", "exit", "memory")
    assert marked(sign) == []


def test_threads_are_limited(admin: Api) -> None:
    source = """
        import threading
        wait = threading.Event()
        count = 0
        try:
            for count in range(100_000):
                threading.Thread(target=wait.wait, daemon=True).start()
        except RuntimeError:
            pass
        wait.set()
        print(count)
    """
    count = int(Programs(admin, run=python(source)).says("run"))
    assert 16 <= count <= 4096


def test_limits_are_of_one_run(admin: Api, sign: str) -> None:
    """One that has all the processes it may leaves others theirs."""
    script = Shell(admin)
    full = script.action("exec 2>&-; for n in {1..1000}; do sleep 600 & done; sleep 600")
    number = admin.submit(full, env_vars={"SIGN": sign})["id"]
    while len(marked(sign)) < 100:
        assert admin.execution(number)["status"] in ("requested", "scheduled", "running")
    with others_are_served(admin):
        others = admin.result(script.action("for n in {1..50}; do sleep 0.2 & done; wait"))
    assert others["succeeded"] is True
    # Bash may have given up for want of a process.
    assert admin.cancel(number).status_code in (200, 409)
    assert admin.ended(number, 50)["status"] in ("cancelled", "failed")


@pytest.mark.parametrize("count", [200])
def test_no_trace_of_many_runs(admin: Api, server: Server, count: int) -> None:
    script = Shell(admin)
    action = script.action("sleep 600 & sleep 600 & true")
    admin.result(action)
    before = (len(tree(server.pid)), descriptors(server))
    numbers = [admin.submit(action)["id"] for _ in range(count)]
    assert {admin.ended(number, 60)["status"] for number in numbers} == {"completed"}
    assert len(tree(server.pid)) <= before[0] + 8
    assert descriptors(server) <= before[1] + 50


def descriptors(server: Server) -> int:
    """Of the server's own process."""
    return len(list(Path(f"/proc/{server.pid}/fd").iterdir()))


# Memory.

GROW = "kept = []\nwhile True:\n    kept.append(bytearray(8_000_000))\n"
MAPS = """
import mmap, time
kept = []
while True:
    area = mmap.mmap(-1, 16 << 20)
    area.write(b"x" * (16 << 20))
    kept.append(area)
"""
FAMILY = """
import os, time
for _ in range(16):
    if os.fork() == 0:
        kept = bytearray(os.urandom(1 << 20) * 64)
        time.sleep(600)
time.sleep(600)
"""


# Reading needs no page, but a table of pages for each of the places.
TABLES = """
import mmap, time
NORESERVE = 0x4000
flags = mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS | NORESERVE
area = mmap.mmap(-1, 300 << 30, flags=flags, prot=mmap.PROT_READ)
for at in range(0, 300 << 30, 2 << 20):
    area[at]
time.sleep(5)
"""


@pytest.mark.parametrize(
    "program",
    [
        python(GROW),
        python(MAPS),
        python(FAMILY, timeout=60),
        shell("x=x; while :; do x=$x$x; done"),
        shell("grep -a x /dev/zero"),
        python(TABLES),
    ],
    ids="heap mappings family bash command tables".split(),
)
def test_a_memory_hog(admin: Api, server: Server, sign: str, program: Program) -> None:
    pack = Programs(admin, hog=program)
    with others_are_served(admin):
        ended = pack.run("hog", env_vars={"SIGN": sign})
    result = limited(ended, "memory")
    assert "memory" in result["error"].lower()
    assert marked(sign) == []
    assert server.running


def test_an_action_s_own_memory_limit(admin: Api) -> None:
    grow = "kept = bytearray(b'x' * 100_000_000)\nprint('fits')\nimport time\ntime.sleep(1)\n"
    pack = Programs(admin, small=python(grow, memory_mb=64), large=python(grow, memory_mb=250))
    limited(pack.run("small"), "memory")
    assert pack.says("large") == "fits"


def test_memory_that_is_promised_is_not_used(admin: Api) -> None:
    """Interpreters reserve a lot, and use little of it."""
    source = "import mmap\narea = mmap.mmap(-1, 8 << 30)\narea.write(b'x')\nprint('reserved')\n"
    assert Programs(admin, run=python(source)).says("run") == "reserved"


def test_the_peak_is_told(admin: Api) -> None:
    source = "kept = bytearray(b'x' * 60_000_000)\nprint('done')\n"
    usage = Programs(admin, run=python(source)).result("run")["usage"]
    assert 60_000_000 <= usage["peak_memory_bytes"] <= 256 * MIB


# Disk.


def test_scratch_space_is_limited(admin: Api, server: Server) -> None:
    free = shutil.disk_usage(server.data).free
    script = Shell(admin)
    with others_are_served(admin):
        told = script.says(
            "dd if=/dev/zero of=/tmp/hog bs=1M 2>&- || true; stat -c %s /tmp/hog; "
            "dd if=/dev/zero of=/dev/shm/hog bs=1M 2>&- || true; stat -c %s /dev/shm/hog"
        )
    sizes = [int(size) for size in told.split()]
    assert 60 * MIB <= sum(sizes) <= 80 * MIB, sizes
    assert shutil.disk_usage(server.data).free > free - 200 * MIB
    assert script.says("df --output=used /tmp | tail -1").strip().isdigit()
    assert script.says("ls -A /tmp /dev/shm | grep hog || echo clean") == "clean"


def test_files_are_limited(admin: Api) -> None:
    source = """
        import os
        made = 0
        try:
            for made in range(1_000_000):
                os.mkdir(f"/tmp/{made}") if made % 2 else open(f"/tmp/{made}", "w").close()
        except OSError as problem:
            print(made, problem.strerror)
    """
    made, problem = Programs(admin, run=python(source)).says("run").split(" ", 1)
    assert 9_900 <= int(made) <= 10_100
    assert "space" in problem.lower()


def test_open_files_are_limited(admin: Api) -> None:
    source = """
        kept = []
        try:
            while True:
                kept.append(open("/dev/null"))
        except OSError as problem:
            print(len(kept), problem.strerror)
    """
    count, problem = Programs(admin, run=python(source)).says("run").split(" ", 1)
    assert 200 <= int(count) <= 5_000
    assert "open files" in problem


def test_a_crash_leaves_no_core(admin: Api, server: Server, sign: str) -> None:
    script = Shell(admin)
    ended = script.run("ulimit -c unlimited 2>&- || :; kill -SEGV $$", env_vars={"SIGN": sign})
    assert ended["result"]["exit_code"] == 139
    for folder in (server.data, server.home, Path.cwd()):
        assert not [path for path in folder.rglob("core*") if path.is_file() and is_core(path)]


def is_core(path: Path) -> bool:
    with path.open("rb") as file:
        head = file.read(18)
    return head[:4] == b"\x7fELF" and head[16:18] == b"\x04\x00"


# Time and output.

BLOCKED = "import signal\nsignal.pthread_sigmask(0, signal.valid_signals())\nsignal.pause()\n"


@pytest.mark.parametrize(
    "program",
    [
        shell("while :; do :; done", timeout=1),
        shell("trap '' TERM; while :; do :; done", timeout=1),
        python("while True:\n    pass\n", timeout=1),
        python("import os\nfor _ in range(4): os.fork()\nwhile True:\n    pass\n", timeout=1),
        python("import os, signal\nos.kill(os.getpid(), signal.SIGSTOP)\n", timeout=1),
        python(
            "import signal\nsignal.pthread_sigmask(0, range(1, 65))\nsignal.pause()\n", timeout=1
        ),
    ],
    ids="bash deaf python processes stopped blocked".split(),
)
def test_an_endless_program(admin: Api, sign: str, program: Program) -> None:
    pack = Programs(admin, run=program)
    with others_are_served(admin):
        ended = pack.run("run", env_vars={"SIGN": sign})
    assert "timed out" in limited(ended, "deadline")["error"]
    assert marked(sign) == []


@pytest.mark.parametrize(
    "program",
    [
        shell("exec cat /dev/zero"),
        shell("yes >&2"),
        shell("trap '' TERM PIPE HUP; while :; do yes; done"),
        python("import os\nos.fork()\nos.fork()\nwhile True:\n    os.write(1, bytes(65536))\n"),
    ],
    ids="zeros stderr deaf processes".split(),
)
def test_huge_output(admin: Api, server: Server, sign: str, program: Program) -> None:
    """Bounded in time, in what is kept, and in the server's memory."""
    before = resident(server)
    pack = Programs(admin, run=program)
    with others_are_served(admin):
        result = limited(pack.run("run", env_vars={"SIGN": sign}), "output")
    assert result.get("stdout_truncated") or result.get("stderr_truncated")
    assert len(result.get("stdout", "")) <= 10_001_000
    assert marked(sign) == []
    assert resident(server) <= before + 400 * MIB


def resident(server: Server) -> int:
    """Bytes of memory that the server's own process has."""
    fields = Path(f"/proc/{server.pid}/statm").read_text().split()
    return int(fields[1]) * 4096


def test_a_program_that_closes_its_output_goes_on(admin: Api, sign: str) -> None:
    """The end of its output is not its end."""
    script = Shell(admin)
    body = "echo before; exec >&- 2>&-; sleep 0.5; exit 7"
    ended = script.run(body, env_vars={"SIGN": sign})
    assert (ended["result"]["exit_code"], ended["result"]["stdout"]) == (7, "before")
    assert ended["result"]["duration_ms"] >= 500
