"""Three servers on one database under load, while they and what they need are taken from them:
nothing that was accepted is lost, and nothing is run by two.

What happens, and when, comes from a seed; the record in the servers' logs shows who held what.
"""

import os
import random
import signal
import time
from collections.abc import Callable
from dataclasses import dataclass

import pytest

from support import history
from support.api import Api, data
from support.leftovers import leftovers
from support.logs import DATABASE_LOST
from support.packs import install_behaviour
from support.postgres import Cluster, psql
from support.processes import children
from support.server import Server
from support.wait import wait_until
from support.workload import Workload, moving_pack

SignIn = Callable[[Server], Api]

ROUNDS = int(os.environ.get("ATTUNE_TEST_ROUNDS", "1"))
# Long enough for a busy machine: nobody who was not stopped may lose one.
LEASE_SECONDS = 5


@dataclass
class Chaos:
    """Three servers, and what can happen to them."""

    servers: list[Server]
    workload: Workload
    chance: random.Random

    def round(self) -> None:
        """Each fault, some of them twice, in an order and at moments of the seed's."""
        faults = [
            *[self.kill] * 2,
            self.kill_all,
            self.stop,
            *[self.freeze] * 2,
            *[self.kill_runners] * 2,
            *[self.kill_connections] * 3,
        ]
        self.chance.shuffle(faults)
        for fault in faults:
            time.sleep(self.chance.uniform(0.2, 2))
            fault(self.chance.choice(self.servers))

    def kill(self, server: Server) -> None:
        """Gone for a moment, or for longer than its lease."""
        address = address_of(server)
        self.workload.lost(server)
        server.kill()
        if self.chance.random() < 0.5:
            wait_until(lambda: self.is_revoked(server), timeout=30, what="the lease to end")
        server.start(address)

    def kill_all(self, _: Server) -> None:
        addresses = [address_of(server) for server in self.servers]
        self.workload.lost(*self.servers)
        for server in self.servers:
            server.kill()
        for server, address in zip(self.servers, addresses, strict=True):
            server.start(address)

    def stop(self, server: Server) -> None:
        """It finishes what it runs: nothing is lost."""
        address = address_of(server)
        assert server.stop() == 0
        server.start(address)

    def freeze(self, server: Server) -> None:
        """It does not know that others have settled what it holds, and goes on."""
        self.workload.lost(server)
        server.process.send_signal(signal.SIGSTOP)
        try:
            wait_until(lambda: self.is_revoked(server), timeout=30, what="the lease to end")
            time.sleep(self.chance.uniform(0, 1))
        finally:
            server.process.send_signal(signal.SIGCONT)

    def kill_runners(self, server: Server) -> None:
        self.workload.lost(server)
        for child in children(server.pid):
            os.kill(child, signal.SIGKILL)

    def kill_connections(self, _: Server) -> None:
        kill_connections(str(self.servers[0].settings["database_url"]))

    def is_revoked(self, server: Server) -> bool:
        """Whether one of the others has ended the lease that it held last."""
        events = [event for one in self.servers for event in history.read(name(one), one.log)]
        grants = [event for event in events if event.what == "lease granted"]
        held = max(event.lease or 0 for event in grants if event.server == name(server))
        return any(event.what == "lease revoked" and event.lease == held for event in events)


def name(server: Server) -> str:
    return str(server.settings["worker_name"])


def address_of(server: Server) -> str:
    return server.url.removeprefix("http://")


def kill_connections(url: str) -> None:
    psql(
        url,
        "SELECT count(pg_terminate_backend(pid)) FROM pg_stat_activity"
        " WHERE datname = current_database() AND pid <> pg_backend_pid()",
    )


@pytest.fixture
def servers(start_server: Callable[..., Server], postgres: Cluster) -> list[Server]:
    url = postgres.new_database()
    return [
        start_server(
            database_url=url,
            worker_name=worker_name,
            lease_seconds=LEASE_SECONDS,
            runners=1,
            places_per_runner=4,
            log_level=history.LOG_LEVEL,
        )
        for worker_name in ("one", "two", "three")
    ]


# Runners: killed, or left by a server that was.
@pytest.mark.allow_log('"message":"a (spare )?runner (died|could not be bound)')
@pytest.mark.allow_log('"message":"the launcher of native runs has died')
@pytest.mark.allow_log("^attune runner: (Broken pipe|Connection reset)")
# Leases of the killed and the frozen.
@pytest.mark.allow_log('"message":"a server gave no sign of life')
@pytest.mark.allow_log('"message":"the lease was not renewed in time')
@pytest.mark.allow_log(*DATABASE_LOST)
# A server that was frozen while it waited for one.
@pytest.mark.allow_log('"message":"acquired connection, but time to acquire exceeded')
@pytest.mark.timeout(60 + 120 * ROUNDS)
def test_nobody_runs_what_another_holds(
    servers: list[Server], signed_in: SignIn, seed: str
) -> None:
    api = signed_in(servers[0])
    install_behaviour(api)
    data(api.upload(moving_pack(0)), 201)
    assert api.token is not None
    workload = Workload(servers, api.token, seed)
    chaos = Chaos(servers, workload, random.Random(seed))
    with workload.running():
        for _ in range(ROUNDS):
            chaos.round()
    problems = list(workload.problems(Api(servers[0].url, api.token)))
    assert [server.stop() for server in servers] == [0, 0, 0]
    problems += leftovers(servers)
    record = [event for server in servers for event in history.read(name(server), server.log)]
    problems += history.problems(record, workload.facts())
    assert not problems, f"ATTUNE_TEST_SEED={seed}:\n" + "\n".join(problems)
