"""The network from inside: requests through the broker, beside the same script run natively."""

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from time import perf_counter

from bench import memory
from bench.attune import Attune
from bench.report import Numbers
from bench.summary import milliseconds
from support.authority import Authority
from support.packs import PACKS
from support.server import Server

FETCH = PACKS / "bench" / "actions" / "fetch.py"
TIMES = 500
ROUNDS = 3
CLIENTS = 4
WAITING = 500
OF_ONE_RUN = 100


def measured(home: Path, python: str) -> Numbers:
    authority = Authority(home / "authority")
    certificate = authority.signed("127.0.0.1")
    settings = {"egress_private": "127.0.0.0/8", "egress_roots": str(authority.file)}
    server = Server(home / "egress", None, runners=1, **settings).start()
    try:
        attune = Attune(server)
        attune.install_pack()
        native = Native(python, authority.file)
        with web(str(certificate)) as peer:
            numbers = latencies(attune, native, peer.port)
            numbers |= throughput(attune, native, peer.port)
        return numbers | {"waiting_requests_mb": waiting(attune)}
    finally:
        server.stop()
        server.close()


class Native:
    """The script as a process of this machine's Python."""

    def __init__(self, python: str, roots: Path) -> None:
        self.command = [python, str(FETCH)]
        self.variables = os.environ | {"SSL_CERT_FILE": str(roots)}

    def fetch(self, port: int, path: str, times: int) -> list[float]:
        asked = json.dumps({"port": port, "path": path, "times": times})
        told = subprocess.check_output(self.command, env=self.variables, input=asked, text=True)
        seconds: list[float] = json.loads(told)
        return seconds


def inside(attune: Attune, port: int, path: str, times: int) -> list[float]:
    execution = attune.run(attune.execute("fetch", port=port, path=path, times=times))
    seconds: list[float] = execution["result"]["data"]
    return seconds


def latencies(attune: Attune, native: Native, port: int) -> Numbers:
    """In turns, so that a slow minute slows both."""
    numbers: Numbers = {}
    for name, path, times in (("https", "/", TIMES), ("distant_https", "/distant", TIMES // 5)):
        within: list[float] = []
        without: list[float] = []
        for _ in range(ROUNDS):
            within += inside(attune, port, path, times)
            without += native.fetch(port, path, times)
        numbers[f"{name}_ms"] = milliseconds(within)
        numbers[f"{name}_native_ms"] = milliseconds(without)
    return numbers


def throughput(attune: Attune, native: Native, port: int) -> Numbers:
    """Requests per second of several clients at once; what their Pythons need to start counts."""

    def run_inside() -> None:
        inside(Attune(attune.server), port, "/", TIMES)

    def run_native() -> None:
        native.fetch(port, "/", TIMES)

    numbers = {}
    for name, run in (("https_per_second", run_inside), ("https_native_per_second", run_native)):
        with ThreadPoolExecutor(CLIENTS) as pool:
            start = perf_counter()
            for client in [pool.submit(run) for _ in range(CLIENTS)]:
                client.result()
            numbers[name] = CLIENTS * TIMES / (perf_counter() - start)
    return numbers


def waiting(attune: Attune) -> float:
    """Megabytes of the server and its runner for `WAITING` requests that are not answered yet."""
    memory.settled(attune.server.pid)
    before = memory.proportional(attune.server.pid)
    runs = WAITING // OF_ONE_RUN
    with web(crowd=WAITING) as peer, ThreadPoolExecutor(runs) as pool:
        asking = [pool.submit(wait, attune.server, peer.port) for _ in range(runs)]
        peer.crowded()
        used = memory.proportional(attune.server.pid) - before
        peer.release()
        for client in asking:
            client.result()
    return used


def wait(server: Server, port: int) -> None:
    attune = Attune(server)
    attune.run(attune.execute("wait", port=port, times=OF_ONE_RUN))


class Web:
    """The server of `bench.web_server`."""

    def __init__(self, process: "subprocess.Popen[str]") -> None:
        self.process = process
        self.port = int(self._said())

    def crowded(self) -> None:
        """Returns when as many are waiting as it was told."""
        assert self._said() == "crowded"

    def release(self) -> None:
        assert self.process.stdin is not None
        self.process.stdin.write("\n")
        self.process.stdin.flush()

    def _said(self) -> str:
        assert self.process.stdout is not None
        return self.process.stdout.readline().strip()


@contextmanager
def web(*certificate: str, crowd: int = 0) -> Iterator[Web]:
    command = [sys.executable, "-m", "bench.web_server", str(crowd), *certificate]
    root = Path(__file__).resolve().parents[1]
    pipe = subprocess.PIPE
    with subprocess.Popen(command, cwd=root, stdin=pipe, stdout=pipe, text=True) as process:
        try:
            yield Web(process)
        finally:
            process.kill()
