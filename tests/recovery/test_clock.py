"""The system clock is set, by hours, under a running server: it tells other times, and does
nothing else that it would not have done."""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from functools import partial
from pathlib import Path

import pytest

from conftest import database
from support.api import Api, Json, data, page, tokens, unauthenticated
from support.clock import SteppedClock
from support.packs import install_behaviour
from support.postgres import Cluster, psql
from support.runs import begun
from support.server import LOGIN, PASSWORD, Server
from support.wait import wait_until

SignIn = Callable[[Server], Api]
StartServer = Callable[..., Server]

HOURS = 5
# A moment of a test, on a busy machine.
MOMENT = timedelta(minutes=2)
BEATS = "SELECT id, beat FROM lease WHERE ended IS NULL ORDER BY id"


@pytest.fixture
def clock(tmp_path: Path) -> SteppedClock:
    made = SteppedClock(tmp_path / "clock")
    made.step(0)
    return made


def shows(execution: Json, key: str, hours: int) -> bool:
    """Whether this time of an execution is that of a clock which is so many hours off."""
    told = datetime.fromisoformat(execution[key])
    return abs(told - datetime.now(UTC) - timedelta(hours=hours)) < MOMENT


@pytest.mark.parametrize("engine", ["sqlite", "postgres"])
@pytest.mark.parametrize("hours", [HOURS, -HOURS], ids=["forwards", "backwards"])
def test_the_clock_is_set(
    start_server: StartServer,
    signed_in: SignIn,
    clock: SteppedClock,
    engine: str,
    hours: int,
    request: pytest.FixtureRequest,
) -> None:
    settings = database(request, engine)
    server = start_server(runners=1, places_per_runner=2, variables=clock.variables(), **settings)
    login = Api(server.url).post("/auth/login", {"login": LOGIN, "password": PASSWORD})
    pair = tokens(login)
    api = Api(server.url, pair["access_token"])
    install_behaviour(api)
    running = [begun(api, seconds=1), begun(api, "sleeper_impatient")]
    waiting = [api.submit("behaviour.say", {"stdout": str(n)})["id"] for n in range(5)]

    clock.step(hours)
    if hours > 0:
        # An hour is over for whoever signed in before it; a week is not.
        unauthenticated(api.get("/auth/me"))
        refreshed = Api(server.url).post("/auth/refresh", {"refresh_token": pair["refresh_token"]})
        api = Api(server.url, tokens(refreshed)["access_token"])
    done, too_long = (api.ended(number) for number in running)
    assert (done["status"], done["result"]["stdout"]) == ("completed", "begun\ndone")
    assert 1000 <= done["result"]["duration_ms"] < 60_000
    assert "timed out" in too_long["result"]["error"]
    assert shows(done, "started_at", 0)
    assert shows(done, "updated", hours)
    for n, number in enumerate(waiting):
        assert api.ended(number)["result"]["stdout"] == str(n)
    stopped = begun(api)
    data(api.cancel(stopped))
    assert api.ended(stopped)["status"] == "cancelled"
    later = api.run("behaviour.say", {"stdout": "later"})
    assert all(shows(later, key, hours) for key in ("created", "started_at", "updated"))

    clock.step(0)
    # Who signed in meanwhile is still known, and a new session is no worse.
    assert api.get("/auth/me").status_code == 200
    api = signed_in(server)
    assert shows(api.run("behaviour.say", {}), "updated", 0)
    rows, _ = page(api.get("/api/v1/executions", per_page=100))
    assert len(rows) == len(running) + len(waiting) + 3
    assert server.stop() == 0
    api = signed_in(server.start())
    assert api.execution(later["id"]) == later


def test_no_lease_hangs_on_a_clock(
    start_server: StartServer, signed_in: SignIn, clock: SteppedClock, postgres: Cluster
) -> None:
    """Two servers, one of which lives in another time."""
    url = postgres.new_database()
    settings = {"database_url": url, "lease_seconds": 5, "runners": 1, "places_per_runner": 3}
    steady = start_server(worker_name="steady", **settings)
    stepped = start_server(worker_name="stepped", variables=clock.variables(), **settings)
    api = signed_in(steady)
    install_behaviour(api)
    before = leases(url)
    assert len(before) == 2
    for hours in (HOURS, -HOURS):
        clock.step(hours)
        # Whoever lives later signs in first, as it forgets what has expired there.
        later, earlier = (stepped, steady) if hours > 0 else (steady, stepped)
        sessions = {server: signed_in(server) for server in (later, earlier)}
        api, other = sessions[steady], sessions[stepped]
        seen = leases(url)
        running = [begun(client, seconds=2) for client in (api, other)]
        # For longer than a lease: as often as somebody looks before it is ended.
        wait_until(partial(beat_on, seen, url), timeout=60, what="beats")
        assert leases(url).keys() == before.keys()
        for number in running:
            assert other.ended(number)["status"] == "completed"
        assert other.result("behaviour.say", {"stdout": "here"})["stdout"] == "here"
    waiting = [api.submit("behaviour.say", {"stdout": str(n)})["id"] for n in range(20)]
    for n, number in enumerate(waiting):
        assert api.ended(number)["result"]["stdout"] == str(n)
    assert [steady.stop(), stepped.stop()] == [0, 0]


@pytest.mark.parametrize("hours", [HOURS, -HOURS], ids=["forwards", "backwards"])
def test_no_session_ends_for_the_clock_of_another_server(
    start_server: StartServer,
    signed_in: SignIn,
    clock: SteppedClock,
    postgres: Cluster,
    hours: int,
) -> None:
    url = postgres.new_database()
    steady = start_server(worker_name="steady", database_url=url)
    variables = clock.variables()
    stepped = start_server(worker_name="stepped", database_url=url, variables=variables)
    clock.step(hours)
    here = [signed_in(steady), signed_in(stepped), signed_in(steady)]
    assert [api.get("/auth/me").status_code for api in here] == [200, 200, 200]
    # Elsewhere they last for as long as it is not too late there.
    elsewhere = [Api(stepped.url, here[0].token), Api(steady.url, here[1].token)]
    last = [200, 401] if hours < 0 else [401, 200]
    assert [api.get("/auth/me").status_code for api in elsewhere] == last


def leases(url: str) -> dict[int, int]:
    """Leases in force, with their beats."""
    rows = (line.split("|") for line in psql(url, BEATS).splitlines())
    return {int(number): int(beat) for number, beat in rows}


def beat_on(before: dict[int, int], url: str) -> bool:
    now = leases(url)
    return all(now.get(number, 0) > beat + 12 for number, beat in before.items())
