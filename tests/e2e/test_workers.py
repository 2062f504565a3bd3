"""Workers: shown to those who may read them, kept by those who may manage them."""

from support.api import Api, Json, error, page
from support.runs import begun
from support.wait import wait_until

FIELDS = """
    id name worker_type worker_role host port status last_heartbeat heartbeat_age_seconds
    heartbeat_stale cordoned cordon_reason cordoned_by cordoned_at health_state
    supported_runtimes load created updated
"""
LOAD = """
    requested scheduling scheduled running canceling total_active max_concurrent_executions
    utilization_percent queue_depth sensor_processes_running sensor_processes_monitored
    active_rules max_concurrent_sensors
"""


def test_the_server_is_a_worker(admin: Api) -> None:
    workers, pagination = page(admin.get("/api/v1/workers"))
    assert pagination["total_items"] == 1
    [worker] = workers
    assert set(worker) == set(FIELDS.split())
    assert set(worker["load"]) == set(LOAD.split())
    assert (worker["status"], worker["cordoned"]) == ("active", False)
    assert worker["health_state"] in ("active", "busy")
    assert worker["load"]["max_concurrent_executions"] > 0
    alone = admin.get(f"/api/v1/workers/{worker['id']}")
    assert alone.status_code == 200
    assert alone.json()["name"] == worker["name"]
    execution = admin.run("core.noop")
    assert execution["worker"] == worker["id"]


def test_the_load_is_what_it_holds(behaviour: Api) -> None:
    def load() -> Json:
        [worker], _ = page(behaviour.get("/api/v1/workers"))
        held: Json = worker["load"]
        return held

    number = begun(behaviour)
    now = load()
    assert now["running"] >= 1
    assert now["total_active"] == now["scheduled"] + now["running"] + now["canceling"]
    assert now["requested"] == now["queue_depth"] == 0
    [busy], _ = page(behaviour.get("/api/v1/workers", health_state="busy"))
    assert busy["load"]["utilization_percent"] >= 1
    behaviour.cancel(number)
    behaviour.ended(number)
    wait_until(lambda: load()["running"] == now["running"] - 1, what="the load to go")


def test_the_runtimes_are_those_that_run(behaviour: Api) -> None:
    [worker], _ = page(behaviour.get("/api/v1/workers"))
    version = behaviour.result("behaviour.environment")["data"]["version"]
    assert worker["supported_runtimes"] == [{"name": "python", "versions": [version]}]


def test_filters(admin: Api) -> None:
    def count(**query: str) -> int:
        return len(page(admin.get("/api/v1/workers", **query))[0])

    assert count(status="active", cordoned="false", role="action") == 1
    assert count(status="inactive") == 0
    assert count(cordoned="true") == 0
    assert count(role="sensor") == 0
    assert count(health_state="offline") == 0
    assert count(page="2") == 0
    assert admin.get("/api/v1/workers", health_state="well").status_code == 400


def test_who_may(admin: Api, stranger: Api) -> None:
    [worker], _ = page(admin.get("/api/v1/workers"))
    path = f"/api/v1/workers/{worker['id']}"
    for refused in (
        stranger.get("/api/v1/workers"),
        stranger.get(path),
        stranger.post(f"{path}/cordon", {}),
        stranger.post(f"{path}/uncordon", {}),
    ):
        error(refused, 403, "FORBIDDEN")
    error(admin.get("/api/v1/workers/999999"), 404, "NOT_FOUND")
    error(admin.post("/api/v1/workers/999999/cordon", {}), 404, "NOT_FOUND")
