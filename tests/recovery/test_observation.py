"""What a server tells of itself while it is in trouble, or has much to do."""

from collections.abc import Callable

import httpx
import pytest

from conftest import database
from support.api import Api, page, unauthenticated
from support.metrics import Metrics, read
from support.packs import install_behaviour
from support.postgres import cluster
from support.runs import begun
from support.server import Server
from support.wait import wait_until

SignIn = Callable[[Server], Api]
StartServer = Callable[..., Server]


@pytest.fixture(params=["sqlite", "postgres"])
def observed(start_server: StartServer, request: pytest.FixtureRequest) -> Server:
    """A server with two places, on each engine, whose metrics anybody may read."""
    settings = database(request)
    return start_server(
        runners=1, places_per_runner=2, metrics_listen="127.0.0.1:0", lease_seconds=2, **settings
    )


def scrape(server: Server) -> Metrics:
    return read(Api(server.metrics_url).get("/metrics"))


def readiness(url: str) -> tuple[int, str]:
    """How a probe is answered; a server that takes no connections is not ready, too."""
    try:
        response = Api(url).get("/health/ready")
    except httpx.TransportError:
        return 0, ""
    return response.status_code, response.text


def test_the_queue_is_seen(observed: Server, signed_in: SignIn) -> None:
    api = signed_in(observed)
    install_behaviour(api)
    running = [begun(api) for _ in range(2)]
    waiting = [api.submit("behaviour.say", {"stdout": "x"})["id"] for _ in range(3)]

    def depth(tenants: str) -> float:
        return scrape(observed).value("attune_queue_depth", **{"class": tenants})

    assert (depth("embedded"), depth("hosted")) == (3, 0)
    age = {"class": "embedded"}
    wait_until(lambda: scrape(observed).value("attune_queue_age_seconds", **age) > 0.1)
    assert scrape(observed).value("attune_runs") == 2
    [worker], _ = page(api.get("/api/v1/workers"))
    assert worker["load"]["requested"] == worker["load"]["queue_depth"] == 3
    assert (worker["load"]["running"], worker["load"]["utilization_percent"]) == (2, 100)

    for number in running:
        api.cancel(number)
    for number in waiting:
        api.ended(number)
    metrics = scrape(observed)
    assert metrics.value("attune_queue_depth") == 0
    assert metrics.value("attune_queue_age_seconds") == 0
    assert metrics.value("attune_queue_wait_seconds_count") == 3
    assert metrics.value("attune_queue_wait_seconds_sum") > 0.1
    assert metrics.value("attune_claim_seconds_count") > 0
    assert metrics.value("attune_run_seconds_count", outcome="cancelled") == 2


def test_the_listener_without_credentials_has_nothing_else(observed: Server) -> None:
    private, public = Api(observed.metrics_url), Api(observed.url)
    assert private.get("/metrics").status_code == 200
    assert private.get("/health/detailed").json()["database"] == "connected"
    for path in ("/api/v1/packs", "/auth/settings", "/docs"):
        assert private.get(path).status_code == 404
    unauthenticated(public.get("/metrics"))


def test_a_server_without_api_has_metrics(start_server: StartServer) -> None:
    server = start_server(roles="runner")
    unauthenticated(Api(server.url).get("/metrics"))
    assert readiness(server.url) == (200, "")


def test_a_server_that_stops_is_not_ready(observed: Server, signed_in: SignIn) -> None:
    """Probes and scrapes go on to the end of what still runs."""
    api = signed_in(observed)
    install_behaviour(api)
    begun(api, seconds=2)
    assert readiness(observed.metrics_url) == (200, "")
    observed.ask_to_stop()
    wait_until(lambda: readiness(observed.metrics_url)[0] == 503, what="the stop to show")
    assert readiness(observed.metrics_url)[1] == "the server is stopping\n"
    assert Api(observed.metrics_url).get("/health/live").status_code == 200
    assert scrape(observed).value("attune_runs") == 1
    assert readiness(observed.url)[0] in (0, 503)
    assert observed.wait() == 0


@pytest.mark.allow_log("a runner died at its start")
def test_a_server_that_cannot_start_runners_is_not_ready(
    observed: Server, signed_in: SignIn
) -> None:
    api = signed_in(observed)
    # Where the next runners would have their scratch space.
    taken = [observed.data / "scratch" / f"runner-{number}" for number in range(20)]
    taken = [folder for folder in taken if not folder.exists()]
    for folder in taken:
        folder.mkdir()
    # It gets the spare runner, and no other can take that one's place.
    api.run("core.noop")
    wait_until(lambda: readiness(observed.url)[0] == 503, what="the lack to show")
    assert "no runner can be started" in readiness(observed.url)[1]
    assert Api(observed.url).get("/health/live").status_code == 200
    assert scrape(observed).value("attune_runner_start_failures_total") >= 1
    for folder in taken:
        folder.rmdir()
    wait_until(lambda: readiness(observed.url) == (200, ""), timeout=30, what="the recovery")


@pytest.mark.allow_log('"level":"(WARN|ERROR)"')
def test_a_server_that_lost_its_lease_is_not_ready(
    start_server: StartServer, signed_in: SignIn
) -> None:
    """Another server has taken it, gives no sign of life, and is taken for lost in turn."""
    with cluster() as own:
        url = own.new_database()
        server = start_server(database_url=url, lease_seconds=2, metrics_listen="127.0.0.1:0")
        own.sql(
            "UPDATE lease SET ended = granted; INSERT INTO lease (worker, home, beat, granted)"
            " SELECT worker, 'elsewhere', 0, granted FROM lease",
            url,
        )
        wait_until(lambda: readiness(server.url)[0] == 503, what="the loss to show")
        assert "lost its lease" in readiness(server.url)[1]
        assert scrape(server).value("attune_leases_lost_total") == 1
        wait_until(lambda: readiness(server.url) == (200, ""), what="another lease")
        assert scrape(server).value("attune_leases_revoked_total") == 1
        assert signed_in(server).run("core.noop")["status"] == "completed"


@pytest.mark.allow_log('"level":"(WARN|ERROR)"')
def test_metrics_outlive_the_database(start_server: StartServer) -> None:
    with cluster() as own:
        settings = {"database_url": own.new_database(), "metrics_listen": "127.0.0.1:0"}
        server = start_server(**settings)
        own.stop()
        status, reason = readiness(server.metrics_url)
        assert (status, reason) == (503, "the database does not answer\n")
        detailed = Api(server.url).get("/health/detailed")
        assert (detailed.status_code, detailed.json()["database"]) == (503, "disconnected")
        depth = scrape(server).value("attune_queue_depth", **{"class": "embedded"})
        assert depth != depth, "not a number"
        assert scrape(server).value("attune_database_errors_total", kind="unavailable") >= 1
        own.start()
        wait_until(lambda: readiness(server.metrics_url)[0] == 200, what="the recovery")
        assert scrape(server).value("attune_queue_depth") == 0
