"""PostgreSQL fails its servers in every way it can, and nothing is lost."""

import concurrent.futures
import contextlib
import random
import secrets
import shutil
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import httpx
import pytest

from support.api import TERMINAL, Api, Json, data, error, tokens
from support.disk import ROOT, mounted
from support.logs import DATABASE_LOST
from support.packs import install_behaviour, small_pack, unique
from support.postgres import Cluster, cluster, holding, psql
from support.proxy import between
from support.runs import accepted_until_full, begun
from support.server import LOGIN, PASSWORD, Server
from support.sse import listening
from support.wait import wait_until
from support.workload import Workload, moving_pack

SignIn = Callable[[Server], Api]
StartServer = Callable[..., Server]

EXECUTE = "/api/v1/executions/execute"
SAY = {"action_ref": "behaviour.say", "parameters": {"stdout": "x" * 20_000}}

SLOW = '"message":"acquired connection, but time to acquire exceeded'
OTHERS = "datname = current_database() AND pid <> pg_backend_pid()"
TERMINATE = f"SELECT count(pg_terminate_backend(pid)) FROM pg_stat_activity WHERE {OTHERS}"
LISTENERS = f"SELECT pid FROM pg_stat_activity WHERE {OTHERS} AND query LIKE 'LISTEN%'"


@pytest.fixture
def url(postgres: Cluster) -> str:
    return postgres.new_database()


def under_load(server: Server, api: Api, seed: str) -> Workload:
    install_behaviour(api)
    data(api.upload(moving_pack(0)), 201)
    assert api.token is not None
    return Workload([server], api.token, seed, pause=0.15)


def ends_well(workload: Workload, api: Api) -> None:
    """All that was accepted has ended, with nothing lost on the way; the server is itself again."""
    problems = list(workload.problems(api))
    assert not problems, f"ATTUNE_TEST_SEED={workload.seed}:\n" + "\n".join(problems)
    assert api.get("/health/ready").status_code == 200
    assert api.result("behaviour.say", {"stdout": "again"})["stdout"] == "again"


@pytest.mark.allow_log(*DATABASE_LOST)
def test_connections_are_killed(
    start_server: StartServer, signed_in: SignIn, url: str, seed: str
) -> None:
    """All of them, again and again, while work is asked for and done."""
    server = start_server(database_url=url, runners=2, places_per_runner=3, worker_name="one")
    api = signed_in(server)
    workload = under_load(server, api, seed)
    chance = random.Random(seed)
    with workload.running():
        for _ in range(15):
            time.sleep(chance.uniform(0.1, 0.5))
            psql(url, TERMINATE)
    ends_well(workload, api)


@pytest.mark.allow_log(*DATABASE_LOST)
def test_answers_are_lost(
    start_server: StartServer, signed_in: SignIn, url: str, seed: str
) -> None:
    """A commit that was made, and of which the server does not hear."""
    with between(url) as (through, proxy):
        # What nobody hears of is found after the length of a lease.
        server = start_server(
            database_url=through,
            runners=2,
            places_per_runner=3,
            worker_name="one",
            lease_seconds=3,
        )
        api = signed_in(server)
        workload = under_load(server, api, seed)
        chance = random.Random(seed)
        with workload.running():
            for _ in range(40):
                time.sleep(chance.uniform(0.05, 0.2))
                proxy.lose_an_answer()
            wait_until(lambda: proxy.cut == 40, what="the answers to be lost")
        ends_well(workload, api)
        assert server.stop() == 0


def test_a_client_that_hangs_up_leaves_no_transaction_open(
    start_server: StartServer, url: str
) -> None:
    """At any moment of a request, at a database that answers late: the connection would be given
    to others, and what they write would not be committed."""
    held = f"SELECT query FROM pg_stat_activity WHERE {OTHERS} AND state LIKE 'idle in trans%'"
    sign_in = {"login": LOGIN, "password": PASSWORD}
    with between(url) as (through, proxy):
        server = start_server(database_url=through, runners=1, roles="api")

        def hang_up(seconds: float) -> None:
            with (
                contextlib.suppress(httpx.TimeoutException),
                httpx.Client(base_url=server.url, timeout=seconds) as client,
            ):
                client.post("/auth/login", json=sign_in)

        proxy.delay = 0.1
        with concurrent.futures.ThreadPoolExecutor(40) as pool:
            list(pool.map(hang_up, (0.1 + n / 20 for n in range(40))))
        proxy.delay = 0
        wait_until(lambda: not psql(url, held), timeout=5, what="transactions to end")
        tokens(Api(server.url).post("/auth/login", sign_in))
        assert server.stop() == 0


@pytest.mark.allow_log(*DATABASE_LOST)
def test_files_that_cannot_be_read_now_are_waited_for(
    start_server: StartServer, signed_in: SignIn, url: str
) -> None:
    """A server unpacks what another has installed, when it first runs it."""
    api = signed_in(start_server(database_url=url, roles="api", worker_name="door"))
    install_behaviour(api)
    start_server(database_url=url, roles="runner", worker_name="runner")
    with holding(url, "LOCK TABLE pack_version IN ACCESS EXCLUSIVE MODE"):
        number = api.submit("behaviour.say", {"stdout": "read"})["id"]
        waits = f"pg_stat_activity WHERE {OTHERS} AND wait_event_type = 'Lock'"
        wait_until(lambda: psql(url, f"SELECT pid FROM {waits}"), what="it to want the files")
        psql(url, f"SELECT pg_terminate_backend(pid) FROM {waits}")
    ended = api.ended(number)
    assert (ended["status"], ended["result"].get("stdout")) == ("completed", "read"), ended


@pytest.mark.parametrize("how", ["terminated", "reset"])
@pytest.mark.allow_log('"message":"other servers cannot be heard now"')
@pytest.mark.allow_log('"message":"error occurred while testing the connection on-release"')
def test_the_connection_that_hears_others_is_lost(
    start_server: StartServer, signed_in: SignIn, url: str, how: str
) -> None:
    """It comes back: with such a lease, and no looks but slow ones, all else would take long."""
    with between(url) as (through, proxy):
        settings = {"runners": 1, "places_per_runner": 2, "lease_seconds": 600}
        one = start_server(database_url=url, worker_name="one", **settings)
        two = start_server(database_url=through, worker_name="two", **settings)
        api, other = signed_in(one), signed_in(two)
        install_behaviour(api)
        number = begun(other)
        if how == "terminated":
            lost = psql(url, LISTENERS).split()
            assert len(lost) == 2
            psql(url, f"SELECT pg_terminate_backend(pid) FROM unnest(ARRAY[{','.join(lost)}]) pid")
        else:
            lost = psql(url, LISTENERS).split()
            assert proxy.reset_listeners() == 1
        wait_until(
            lambda: len(set(now := psql(url, LISTENERS).split())) == 2 and set(now) != set(lost),
            timeout=30,
            what="both to listen again",
        )
        # Told by two, heard by one: each step as it comes.
        path = "/api/v1/executions/stream"
        with listening(api, path, execution_id=number) as seen:
            assert '"running"' in next(seen).data
            # Told by one, heard by two.
            data(api.cancel(number))
            assert '"canceling"' in next(seen).data
            assert '"cancelled"' in next(seen).data
        assert api.ended(number)["status"] == "cancelled"
        follow = other.submit("behaviour.sleeper", {"seconds": 0.5})["id"]
        assert api.ended(follow)["status"] == "completed"


def answer(api: Api, body: Json) -> httpx.Response:
    """What one of many clients is told; each has a connection of its own."""
    with Api(api.url, api.token).http as http:
        return http.post(EXECUTE, json=body, timeout=60)


def unavailable(response: httpx.Response) -> None:
    assert "again" in error(response, 503, "SERVICE_UNAVAILABLE")


@pytest.mark.allow_log(*DATABASE_LOST, SLOW)
def test_every_connection_waits(start_server: StartServer, signed_in: SignIn, url: str) -> None:
    """Somebody holds a lock that all of them want."""
    server = start_server(database_url=url, runners=1, places_per_runner=2)
    api = signed_in(server)
    install_behaviour(api)
    running = begun(api, seconds=1)
    body = {"action_ref": "behaviour.say", "parameters": {"stdout": "waited"}}
    enough = threading.Event()
    answers: list[httpx.Response] = []

    def ask_on(_: int) -> None:
        while not enough.is_set():
            answers.append(answer(api, body))

    def refused() -> bool:
        return any(one.status_code != 201 for one in answers)

    with concurrent.futures.ThreadPoolExecutor(40) as pool:
        with holding(url, "LOCK TABLE execution IN ACCESS EXCLUSIVE MODE"):
            asked = [pool.submit(ask_on, client) for client in range(40)]
            try:
                wait_until(
                    lambda: api.get("/health/ready").status_code == 503,
                    timeout=60,
                    what="the server to say that it cannot serve",
                )
                assert api.get("/health/live").status_code == 200
                wait_until(refused, timeout=30, what="a refusal")
            finally:
                enough.set()
        for client in asked:
            client.result()
    for refusal in (one for one in answers if one.status_code != 201):
        unavailable(refusal)
    wait_until(lambda: api.get("/health/ready").status_code == 200, what="the recovery")
    for accepted in (one for one in answers if one.status_code == 201):
        ended = api.ended(data(accepted, 201)["id"])
        assert (ended["status"], ended["result"]["stdout"]) == ("completed", "waited")
    assert api.ended(running)["status"] == "completed"
    assert api.result("behaviour.say", {"stdout": "again"})["stdout"] == "again"
    # What was asked for and not answered ended as well.
    stats = data(api.get("/api/v1/executions/stats"))
    assert (stats["pending"], stats["running"]) == (0, 0)


@pytest.mark.allow_log(*DATABASE_LOST, SLOW, '"message":"error from `before_acquire`"')
def test_a_silent_database_is_noticed(start_server: StartServer, signed_in: SignIn) -> None:
    """No connection is closed, and none answers: the server says so, and loses nothing."""
    with cluster() as own:
        url = own.new_database()
        server = start_server(database_url=url, runners=1, places_per_runner=4)
        api = signed_in(server)
        install_behaviour(api)
        running = [begun(api, seconds=2) for _ in range(3)]
        with own.silent():
            wait_until(lambda: api.get("/health/ready").status_code == 503, what="the silence")
            not_renewed = "the lease cannot be renewed, the database does not answer"
            wait_until(lambda: not_renewed in server.log.read_text(), timeout=60, what="the beat")
        wait_until(lambda: api.get("/health/ready").status_code == 200, timeout=30, what="the end")
        for number in running:
            assert api.ended(number)["status"] == "completed"
        assert api.result("behaviour.say", {"stdout": "again"})["stdout"] == "again"
        assert server.stop() == 0


@pytest.mark.allow_log('"message":"the database allows this role fewer connections')
def test_the_database_gives_fewer_connections_than_the_server_wants(
    start_server: StartServer, signed_in: SignIn, postgres: Cluster
) -> None:
    """It makes do with them: whoever finds none free is served in turn."""
    role = unique("role")
    postgres.sql(f"CREATE ROLE {role} LOGIN CONNECTION LIMIT 6")
    postgres.sql(f"CREATE DATABASE {role} OWNER {role}")
    url = postgres.url(role).replace("attune@", f"{role}@")
    api = signed_in(start_server(database_url=url, runners=1, places_per_runner=4))
    install_behaviour(api)
    body = {"action_ref": "behaviour.say", "parameters": {"stdout": "x"}}
    with concurrent.futures.ThreadPoolExecutor(12) as pool:
        answers = list(pool.map(lambda _: answer(api, body), range(36)))
    for accepted in answers:
        assert api.ended(data(accepted, 201)["id"])["status"] == "completed"


@pytest.fixture
def small_cluster() -> Iterator[tuple[Cluster, Callable[[], Path]]]:
    """A cluster whose databases are on a small disk, but not its log of writes; what fills it."""
    if not ROOT:
        pytest.skip("A FULL DISK OF POSTGRESQL IS NOT TESTED: its user cannot be changed to")
    with (
        # PostgreSQL's own user has to get there.
        tempfile.TemporaryDirectory(prefix="attune-disk-") as folder,
        mounted(Path(folder), "128m") as disk,
        cluster(disk.within, full_page_writes="off") as own,
    ):
        space = disk.path / "space"
        space.mkdir()
        shutil.chown(space, "nobody", "nogroup")
        own.sql(f"CREATE TABLESPACE small LOCATION '{folder}/space'")
        yield own, disk.fill


@pytest.mark.allow_log("(?i)disk is full|no space left|does not answer now|could not extend")
def test_a_full_disk_refuses_clearly_and_recovers(
    small_cluster: tuple[Cluster, Callable[[], Path]], start_server: StartServer, signed_in: SignIn
) -> None:
    own, fill = small_cluster
    own.sql("CREATE DATABASE small TABLESPACE small")
    server = start_server(database_url=own.url("small"), runners=1)
    api = signed_in(server)
    install_behaviour(api)
    running = begun(api, seconds=1)
    filler = fill()
    accepted = accepted_until_full(api)
    # More than fits into what the tables have left in their files, and not to be compressed.
    large = small_pack(unique(), run=f"{secrets.token_hex(500_000)!r}\n")
    error(api.upload(large), 507, "INSUFFICIENT_STORAGE")
    assert api.get("/health").status_code == 200
    assert data(api.get("/api/v1/packs/behaviour"))["ref"] == "behaviour"

    filler.unlink()
    wait_until(lambda: api.post(EXECUTE, SAY).status_code == 201, what="an acceptance")
    for number in [running, *accepted]:
        assert api.ended(number)["status"] in TERMINAL
    assert api.result("behaviour.say", {"stdout": "after"})["stdout"] == "after"
    data(api.upload(large), 201)
    assert server.stop() == 0


@pytest.mark.allow_log(*DATABASE_LOST)
def test_a_database_that_is_closed_under_load_loses_nothing(
    start_server: StartServer, signed_in: SignIn, seed: str
) -> None:
    """As an administrator restarts it; `test_nodes.py` has it crash."""
    with cluster() as own:
        server = start_server(
            database_url=own.new_database(), runners=2, places_per_runner=3, worker_name="one"
        )
        api = signed_in(server)
        workload = under_load(server, api, seed)
        with workload.running():
            for _ in range(2):
                time.sleep(random.Random(seed).uniform(0.5, 1.5))
                own.stop("fast")
                own.start()
        ends_well(workload, api)
        assert server.stop() == 0
