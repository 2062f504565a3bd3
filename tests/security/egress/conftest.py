"""Servers whose actions may reach one network, 127.0.0.2, and ask one name server."""

from collections.abc import Callable, Iterator
from typing import Any

import pytest

from support.api import SECRETS, Api
from support.authority import Authority
from support.egress import reaching, signed_in
from support.guests import ANYTHING, HERE, Guest
from support.logs import LogCheck
from support.names import Names, name_server
from support.peer import OK, PRIVATE, Peer, answering
from support.server import Server

NewGuest = Callable[..., Guest]


@pytest.fixture(scope="session")
def names() -> Iterator[Names]:
    with name_server() as running:
        yield running


@pytest.fixture(scope="session")
def authority(tmp_path_factory: pytest.TempPathFactory) -> Authority:
    return Authority(tmp_path_factory.mktemp("authority"))


@pytest.fixture(scope="session")
def patient_server(names: Names, authority: Authority) -> Iterator[Server]:
    with reaching(names, authority, egress_insecure_tls="on") as running:
        yield running


@pytest.fixture(scope="session")
def impatient_server(names: Names, authority: Authority) -> Iterator[Server]:
    """Waits for nothing, and takes little."""
    limits: dict[str, Any] = {
        "egress_connect_ms": 400,
        "egress_idle_ms": 400,
        "limits_http_request_bytes": 1_000_000,
        "limits_http_response_bytes": 1_000_000,
    }
    with reaching(names, authority, **limits) as running:
        yield running


@pytest.fixture
def server(patient_server: Server, watched: Callable[[Server], None]) -> Server:
    watched(patient_server)
    return patient_server


@pytest.fixture
def watched(request: pytest.FixtureRequest) -> Iterator[Callable[[Server], None]]:
    """Has a server be looked at after the test: it is quiet, and others are served as before."""
    checks: list[tuple[Server, LogCheck]] = []
    yield lambda server: checks.append((server, LogCheck(server.log, SECRETS)))
    for server, log in checks:
        innocent = signed_in(server).result("core.echo", {"message": "all is well"})
        assert innocent["stdout"] == "all is well"
        allowed = [text for mark in request.node.iter_markers("allow_log") for text in mark.args]
        problems = log.problems(allowed)
        assert not problems, "the server's log:\n" + "\n".join(problems[:20])


@pytest.fixture
def admin(server: Server) -> Api:
    return signed_in(server)


@pytest.fixture
def new_guest(admin: Api) -> NewGuest:
    """Installs actions with permissions of the test's own."""
    return lambda http=None, **more: Guest(admin, http, **more)


@pytest.fixture(scope="session")
def here(patient_server: Server) -> Guest:
    return Guest(signed_in(patient_server), HERE)


@pytest.fixture
def guest(here: Guest, server: Server) -> Guest:
    """Actions that may reach every port of 127.0.0.2."""
    assert server.running
    return here


@pytest.fixture(scope="session")
def anywhere(patient_server: Server) -> Guest:
    return Guest(signed_in(patient_server), ANYTHING)


@pytest.fixture
def anybody(anywhere: Guest, server: Server) -> Guest:
    """Actions whose manifest allows all there is."""
    assert server.running
    return anywhere


@pytest.fixture(scope="session")
def hasty_anywhere(impatient_server: Server) -> Guest:
    return Guest(signed_in(impatient_server), ANYTHING)


@pytest.fixture
def hasty(
    hasty_anywhere: Guest, impatient_server: Server, watched: Callable[[Server], None]
) -> Guest:
    """Actions that may ask for everything, on a server that waits 400 ms, and takes 1 MB."""
    watched(impatient_server)
    return hasty_anywhere


@pytest.fixture
def peer() -> Iterator[Peer]:
    with Peer(answering(OK)) as peer:
        yield peer


@pytest.fixture
def spy(peer: Peer) -> Iterator[Peer]:
    """At the address that must not be reached, on the same port; nobody must come."""
    with Peer(answering(OK), PRIVATE, port=peer.port) as spy:
        yield spy
        assert not spy.visits
