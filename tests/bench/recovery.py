"""A killed server beside another one: how long until what it ran is settled."""

import tempfile
from pathlib import Path
from time import perf_counter

from bench.attune import Attune
from bench.summary import milliseconds
from support.postgres import cluster
from support.server import Server

LEASE_SECONDS = 2
KILLS = 8


def measured() -> dict[str, float]:
    """From each kill to the end of the execution as the other server tells it."""
    with cluster(fsync="on") as postgres, tempfile.TemporaryDirectory() as home:
        url = postgres.new_database()
        doomed, other = (start(Path(home) / name, url) for name in ("doomed", "other"))
        try:
            Attune(doomed).install_pack()
            return milliseconds([after_a_kill(doomed, other) for _ in range(KILLS)])
        finally:
            for server in (doomed, other):
                server.close()


def start(home: Path, url: str) -> Server:
    server = Server(
        home, database_url=url, worker_name=home.name, lease_seconds=LEASE_SECONDS, runners=1
    )
    return server.start()


def after_a_kill(doomed: Server, other: Server) -> float:
    number = Attune(doomed).begin("sleeper")
    watcher = Attune(other)
    doomed.kill()
    killed = perf_counter()
    ended = watcher.api.ended(number)
    took = perf_counter() - killed
    assert ended["status"] == "abandoned", ended
    doomed.start()
    return took
