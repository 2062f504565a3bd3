"""Fixtures that every test may ask for."""

import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from support.api import SECRETS, Api
from support.keys import forget_keys
from support.logs import LogCheck
from support.packs import install_behaviour, unique
from support.postgres import Cluster, cluster
from support.server import BINARY, LOGIN, PASSWORD, Server, forget_old_builds

StartServer = Callable[..., Server]


def pytest_sessionstart() -> None:
    if not BINARY.exists():
        pytest.exit(f"there is no {BINARY}: run `make build` first", returncode=2)
    forget_old_builds()


@pytest.fixture(scope="session")
def postgres() -> Iterator[Cluster]:
    """One PostgreSQL for all tests that leave it as they found it."""
    with cluster() as running:
        yield running


@pytest.fixture(scope="session", params=["sqlite", "postgres"])
def shared_server(request: pytest.FixtureRequest) -> Iterator[Server]:
    """One server on each engine, for all tests that leave it as they found it."""
    with tempfile.TemporaryDirectory(prefix="attune-test-") as home:
        server = Server(Path(home), None, **database(request)).start()
        yield server
        code = server.stop()
        server.close()
        assert code == 0, f"the shared server ended with {code}"


def database(request: pytest.FixtureRequest, engine: str = "") -> dict[str, str]:
    """The setting that makes a server use an engine, else the one that the request's parameter
    names."""
    if (engine or request.param) == "sqlite":
        return {}
    postgres: Cluster = request.getfixturevalue("postgres")
    return {"database_url": postgres.new_database()}


@pytest.fixture
def server(shared_server: Server, request: pytest.FixtureRequest) -> Iterator[Server]:
    """The shared server; the test fails if it warned, or told a secret, meanwhile."""
    log = LogCheck(shared_server.log, SECRETS)
    yield shared_server
    assert shared_server.running, "the server is gone"
    assert_quiet(log, request)


@pytest.fixture
def start_server(tmp_path: Path, request: pytest.FixtureRequest) -> Iterator[StartServer]:
    """Starts servers that the test may kill, stop or starve."""
    servers: list[Server] = []

    def start(
        data_dir: Path | None = None,
        without: tuple[str, ...] = (),
        within: tuple[str, ...] = (),
        variables: dict[str, str] | None = None,
        **settings: str | int,
    ) -> Server:
        server = Server(tmp_path / f"server-{len(servers)}", data_dir, **settings)
        server.within = within
        server.variables |= variables or {}
        for variable in without:
            del server.variables[variable]
        servers.append(server)
        return server.start()

    yield start
    for server in servers:
        server.close()
    for server in servers:
        log = LogCheck(server.log, SECRETS)
        log.offset = 0
        assert_quiet(log, request)


def assert_quiet(log: LogCheck, request: pytest.FixtureRequest) -> None:
    marks = request.node.iter_markers("allow_log")
    allowed = [pattern for mark in marks for pattern in mark.args]
    problems = log.problems(allowed)
    assert not problems, "the server's log:\n" + "\n".join(problems[:20])


@pytest.fixture
def anonymous(server: Server) -> Api:
    return Api(server.url)


@pytest.fixture(scope="session")
def admin_token(shared_server: Server) -> str:
    token = Api(shared_server.url).login(LOGIN, PASSWORD).token
    assert token is not None
    return token


@pytest.fixture
def admin(server: Server, admin_token: str) -> Iterator[Api]:
    """The bootstrap admin, who holds `core.admin`. Keys of the whole tenant go with the test."""
    api = Api(server.url, admin_token)
    yield api
    forget_keys(api)


@pytest.fixture
def stranger(server: Server) -> Api:
    """A freshly registered identity, which holds no grants."""
    return Api(server.url).register(unique("user"), "password-of-a-stranger")


@pytest.fixture(scope="session")
def installed_behaviour(shared_server: Server, admin_token: str) -> str:
    install_behaviour(Api(shared_server.url, admin_token))
    return "behaviour"


@pytest.fixture
def behaviour(admin: Api, installed_behaviour: str) -> Api:
    """The admin, with the pack `tests/packs/behaviour` installed."""
    assert installed_behaviour
    return admin
