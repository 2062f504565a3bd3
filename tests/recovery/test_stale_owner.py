"""A server that was away for longer than its lease comes back, and what holds others up."""

import signal
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager

import pytest

from support import history
from support.api import Api, data
from support.packs import install_behaviour
from support.postgres import Cluster, holding, psql
from support.runs import begun
from support.server import Server
from support.wait import wait_until

SignIn = Callable[[Server], Api]
StartServer = Callable[..., Server]

LEASE_SECONDS = 3
A_SERVER_IS_LOST = '"message":"a server gave no sign of life'
LEASE_LOST = '"message":"the lease was not renewed in time'
SLOW = '"message":"acquired connection, but time to acquire exceeded'
LIVE = "SELECT worker.name FROM lease JOIN worker ON worker.id = worker WHERE ended IS NULL"


@pytest.fixture
def url(postgres: Cluster) -> str:
    return postgres.new_database()


@pytest.fixture
def start_node(start_server: StartServer, url: str) -> StartServer:
    def start(name: str) -> Server:
        return start_server(
            database_url=url,
            worker_name=name,
            lease_seconds=LEASE_SECONDS,
            runners=1,
            places_per_runner=2,
            log_level=history.LOG_LEVEL,
        )

    return start


@contextmanager
def frozen(server: Server) -> Iterator[None]:
    server.process.send_signal(signal.SIGSTOP)
    try:
        yield
    finally:
        server.process.send_signal(signal.SIGCONT)


def live(url: str) -> set[str]:
    return set(psql(url, LIVE).split())


@pytest.mark.allow_log(A_SERVER_IS_LOST)
@pytest.mark.allow_log(LEASE_LOST)
@pytest.mark.allow_log(SLOW)
def test_it_takes_no_work_before_it_knows(
    start_node: StartServer, signed_in: SignIn, url: str
) -> None:
    """Asked in the moment in which it believes in its lease, which has ended."""
    stale, other = start_node("stale"), start_node("other")
    api = signed_in(stale)
    install_behaviour(api)
    # Nobody beats, so nobody is told that it has no lease any more.
    with ExitStack() as no_beats:
        with frozen(stale):
            wait_until(lambda: "stale" not in live(url), timeout=30, what="the lease to end")
            no_beats.enter_context(holding(url, "LOCK TABLE lease IN SHARE ROW EXCLUSIVE MODE"))
        number = api.submit("behaviour.sleeper_rerun", {"seconds": 1})["id"]
    ended = signed_in(other).ended(number)
    assert (ended["status"], ended["result"]["stdout"]) == ("completed", "begun\ndone")
    record = [
        event
        for server in (stale, other)
        for event in history.read(str(server.settings["worker_name"]), server.log)
    ]
    facts = history.Facts(may_rerun=frozenset({number}))
    assert history.problems(record, facts) == []
    handed_over = [event.server for event in record if event.what == "handed over"]
    assert len(handed_over) == 1, record


@pytest.mark.allow_log(A_SERVER_IS_LOST)
def test_what_it_has_locked_costs_nobody_a_lease(
    start_node: StartServer, signed_in: SignIn, url: str
) -> None:
    """A server that is frozen in the middle of a commit holds a row of the database."""
    lost, one, two = (start_node(name) for name in ("lost", "one", "two"))
    api = signed_in(lost)
    install_behaviour(api)
    number = begun(api)
    # In its name, for its own commits are too short to freeze it in one.
    with holding(url, f"SELECT FROM execution WHERE id = {number} FOR UPDATE"):
        lost.kill()
        wait_until(lambda: "lost" not in live(url), timeout=30, what="the lease to end")
        seen = beats(url)
        # As often as it takes to end a lease that stands still.
        wait_until(lambda: beats(url) > seen + 30, timeout=30, what="the others to beat")
        assert live(url) == {"one", "two"}
        for server in (one, two):
            kept = signed_in(server).run("behaviour.say", {"stdout": "kept"})
            assert kept["status"] == "completed"
    assert signed_in(one).ended(number)["status"] == "abandoned"
    assert data(signed_in(two).get(f"/api/v1/executions/{number}"))["status"] == "abandoned"


def beats(url: str) -> int:
    return int(psql(url, "SELECT sum(beat) FROM lease WHERE ended IS NULL"))
