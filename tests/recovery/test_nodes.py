"""Several servers on one PostgreSQL: they share the work, hear of each other, and lose nothing."""

import json
import subprocess
from collections import Counter
from collections.abc import Callable
from pathlib import Path

import pytest

from support.api import Api, data, error
from support.packs import PACKS, archive_folder, install_behaviour
from support.postgres import Cluster, cluster
from support.runs import begun
from support.server import BINARY, CACHE, JWT_SECRET, Server, link_tree
from support.sse import events
from support.wait import wait_until

SignIn = Callable[[Server], Api]
StartNode = Callable[..., Server]

LEASE_SECONDS = 2
A_SERVER_IS_LOST = '"message":"a server gave no sign of life'


@pytest.fixture
def start_node(start_server: Callable[..., Server], postgres: Cluster) -> StartNode:
    """Starts servers that share one database, each with two places for runs."""
    url = postgres.new_database()

    def start(name: str, **settings: str | int) -> Server:
        shared = {"database_url": url, "worker_name": name, "lease_seconds": LEASE_SECONDS}
        return start_server(**{"runners": 1, "places_per_runner": 2, **shared, **settings})

    return start


@pytest.fixture
def pair(start_node: StartNode, signed_in: SignIn) -> tuple[Server, Server]:
    one = start_node("one")
    install_behaviour(signed_in(one))
    return one, start_node("two")


def test_work_is_shared(pair: tuple[Server, Server], signed_in: SignIn) -> None:
    """What is asked of one is run by both, and the other knows of it."""
    one, two = (signed_in(server) for server in pair)
    numbers = [begun(one, seconds=1) for _ in range(2)]
    numbers += [one.submit("behaviour.sleeper", {"seconds": 1})["id"] for _ in range(6)]
    workers = Counter(two.ended(number)["worker"] for number in numbers)
    assert len(workers) == 2, workers
    assert all(two.execution(number)["status"] == "completed" for number in numbers)


def test_one_serves_and_another_runs(start_node: StartNode, signed_in: SignIn) -> None:
    door = start_node("door", roles="api,orchestrator")
    api = signed_in(door)
    install_behaviour(api)
    waits = api.submit("behaviour.say", {"stdout": "waited"})["id"]
    assert api.execution(waits)["status"] == "requested"

    worker = start_node("worker", roles="runner")
    assert api.ended(waits)["result"]["stdout"] == "waited"
    assert api.result("behaviour.say", {"stdout": "told"})["stdout"] == "told"

    # Output can be followed, and the run be stopped, from where it does not run.
    number = begun(api)
    data(api.cancel(number))
    assert api.ended(number)["status"] == "cancelled"
    follow = api.submit("behaviour.sleeper", {"seconds": 1})["id"]
    stream = events(api, "/api/v1/executions/stream", execution_id=follow)
    statuses = [json.loads(event.data)["status"] for event in stream]
    assert statuses[-1] == "completed", statuses

    health = Api(worker.url)
    assert health.get("/health/ready").status_code == 200
    assert health.get("/api/v1/packs").status_code == 404


@pytest.mark.allow_log(A_SERVER_IS_LOST)
def test_what_a_killed_server_ran_is_settled_by_the_others(
    start_node: StartNode, signed_in: SignIn
) -> None:
    """T3.12: detected, ended or run again as its author said, and nothing else suffers."""
    doomed = start_node("doomed")
    api = signed_in(doomed)
    install_behaviour(api)
    lost, again = begun(api), begun(api, "sleeper_rerun", seconds=1)
    waiting = [api.submit("behaviour.say", {"stdout": str(n)})["id"] for n in range(10)]
    other = signed_in(start_node("other", places_per_runner=1))
    kept = begun(other, seconds=5)
    doomed.kill()

    ended = other.ended(lost)
    assert ended["status"] == "abandoned"
    assert ended["result"]["worker"]["name"] == "doomed"
    assert other.ended(again)["result"]["stdout"] == "begun\ndone"
    for n, number in enumerate(waiting):
        assert other.ended(number)["result"]["stdout"] == str(n)
    assert other.ended(kept)["status"] == "completed"


def test_a_killed_server_comes_back_at_once(pair: tuple[Server, Server], signed_in: SignIn) -> None:
    """Its folder tells that it is the one, so nobody has to wait for the lease."""
    one, two = pair
    lost = begun(signed_in(one))
    one.kill()
    api = signed_in(one.start())
    assert api.ended(lost)["status"] == "abandoned"
    assert signed_in(two).execution(lost)["status"] == "abandoned"


def test_a_server_that_stops_leaves_its_work_to_the_others(
    pair: tuple[Server, Server], signed_in: SignIn
) -> None:
    """T3.30 on two: what runs is finished, what waits is run by the other."""
    one, two = pair
    api = signed_in(one)
    running = [begun(api, seconds=1) for _ in range(2)]
    other = signed_in(two)
    waiting = [other.submit("behaviour.say", {"stdout": "x"})["id"] for _ in range(20)]
    assert one.stop() == 0
    for number in running + waiting:
        assert other.ended(number)["status"] == "completed"


def test_packs_travel(pair: tuple[Server, Server], signed_in: SignIn) -> None:
    one, two = (signed_in(server) for server in pair)
    assert one.upload(archive_folder(PACKS / "behaviour"), force=True).status_code == 201
    assert two.result("behaviour.greet", {"name": "Ada"})["data"]
    assert two.delete("/api/v1/packs/behaviour").status_code == 200
    refused = one.post("/api/v1/executions/execute", {"action_ref": "behaviour.greet"})
    error(refused, 404, "NOT_FOUND")


@pytest.mark.parametrize(
    ("name", "secret", "remedy"),
    [
        ("one", JWT_SECRET, "ATTUNE_WORKER_NAME"),
        ("two", "a-secret-that-is-another", "ATTUNE_JWT_SECRET"),
    ],
)
def test_a_server_that_does_not_fit_is_refused(
    start_node: StartNode, tmp_path: Path, name: str, secret: str, remedy: str
) -> None:
    one = start_node("one")
    folder = tmp_path / "data"
    link_tree(CACHE, folder / "cache")
    flags = [f"--data-dir={folder}", "--listen=127.0.0.1:0", f"--worker-name={name}"]
    flags += [f"--database-url={one.settings['database_url']}"]
    done = subprocess.run(
        [str(BINARY), "serve", *flags],
        env=one.variables | {"JWT_SECRET": secret},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == 1
    assert remedy in done.stderr, done.stderr


@pytest.mark.allow_log('"level":"WARN"')
def test_a_database_that_restarts_loses_nothing(start_node: StartNode, signed_in: SignIn) -> None:
    with cluster() as own:
        url = own.new_database()
        one, two = (start_node(name, database_url=url) for name in ("one", "two"))
        api = signed_in(one)
        install_behaviour(api)
        other = signed_in(two)
        running = [begun(client, seconds=4) for client in (api, other)]
        waiting = [api.submit("behaviour.say", {"stdout": "x"})["id"] for _ in range(20)]
        own.stop()
        wait_until(lambda: api.get("/health/ready").status_code == 503, what="the loss to show")
        own.start()
        wait_until(lambda: api.get("/health/ready").status_code == 200, what="the recovery")
        for number in running + waiting:
            assert other.ended(number)["status"] == "completed"
        assert api.result("behaviour.say", {"stdout": "again"})["stdout"] == "again"
        for server in (one, two):
            assert server.stop() == 0
