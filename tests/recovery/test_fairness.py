"""Tenants take turns: one's backlog is not another's delay."""

from collections.abc import Callable

from support.api import Api, data
from support.packs import install_behaviour, unique
from support.postgres import Cluster
from support.server import Server
from support.wait import wait_until

BACKLOG = 100_000
PLACES = 4


def test_a_backlog_delays_others_by_one_run_for_each_place(
    start_server: Callable[..., Server], signed_in: Callable[[Server], Api], postgres: Cluster
) -> None:
    database = postgres.new_database()
    server = start_server(database_url=database, runners=2, places_per_runner=PLACES // 2)
    busy = signed_in(server)
    install_behaviour(busy)
    quiet = of_another_tenant(server, postgres, database)
    queue_many(server, busy, postgres, database)
    wait_until(lambda: data(busy.get("/api/v1/executions/stats"))["completed"] > PLACES, 60)

    for _ in range(5):
        ended = quiet.run("core.echo", {"message": "hello"})
        assert ended["status"] == "completed", ended
        overtook = postgres.sql(
            "SELECT count(*) FROM execution AS busy, execution AS quiet"
            f" WHERE quiet.id = {ended['id']} AND busy.tenant <> quiet.tenant"
            " AND busy.started_at BETWEEN quiet.created AND quiet.started_at",
            database,
        )
        assert int(overtook) <= PLACES
    assert data(busy.get("/api/v1/executions/stats"))["pending"] > BACKLOG / 2


def queue_many(server: Server, api: Api, postgres: Cluster, database: str) -> None:
    """By SQL, as so many requests would take minutes."""
    worker = api.get("/api/v1/workers").json()["items"][0]["id"]
    assert api.post(f"/api/v1/workers/{worker}/cordon", {}).status_code == 200
    heeded = "this worker's cordon was changed"
    wait_until(lambda: heeded in server.log.read_text(), what="the cordon to be heeded")
    number = api.submit("behaviour.say", {"stdout": "x"})["id"]
    columns = (
        "tenant, action, action_ref, executor, status, version, starts, created, updated,"
        " extra, env_vars, config"
    )
    postgres.sql(
        f"INSERT INTO execution ({columns}) SELECT {columns} FROM execution,"
        f" generate_series(2, {BACKLOG}) WHERE execution.id = {number}",
        database,
    )
    assert api.post(f"/api/v1/workers/{worker}/uncordon").status_code == 200


def of_another_tenant(server: Server, postgres: Cluster, database: str) -> Api:
    """By SQL, as the API makes no tenants yet."""
    login = unique("quiet")
    api = Api(server.url).register(login, "password-of-another-tenant")
    postgres.sql(
        "INSERT INTO tenant (id, name) VALUES (2, 'other');"
        f"UPDATE identity SET tenant = 2 WHERE login = '{login}';"
        "UPDATE token SET tenant = 2 FROM identity"
        f" WHERE identity.id = token.identity AND login = '{login}';"
        "INSERT INTO permission_assignment (tenant, identity, permission_set)"
        f" SELECT 2, id, 'core.admin' FROM identity WHERE login = '{login}'",
        database,
    )
    return api
