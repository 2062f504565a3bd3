"""What the manifest and the policy do not allow does not happen, and the author is told why."""

from collections.abc import Callable
from typing import Any

import pytest

from support.api import Api
from support.authority import Authority
from support.egress import reaching, signed_in
from support.guests import ANYTHING, HERE, Guest, denied, network_pack
from support.logs import parsed
from support.names import Names, new_name, records
from support.packs import unique
from support.peer import ALLOWED, OK, Peer, answering
from support.server import Server

NewGuest = Callable[..., Guest]


def test_a_grant_lets_a_request_through(guest: Guest) -> None:
    with Peer(answering(OK)) as peer:
        answer = guest.fetch(peer.url("/path?query=1"), headers={"X-One": "two"})
    assert (answer["status"], answer["body"]) == (200, "ok")
    [head] = peer.heads
    assert head.line == "GET /path?query=1 HTTP/1.1"
    assert head.all("host") == [f"{ALLOWED}:{peer.port}"]
    assert head.all("x-one") == ["two"]


def test_without_permissions_there_is_no_network(new_guest: NewGuest) -> None:
    with Peer(answering(OK)) as peer:
        denied(new_guest().fetch(peer.url()), "permissions")
        denied(new_guest([]).fetch(peer.url()), "permissions")
    assert not peer.visits


def test_another_host(new_guest: NewGuest, names: Names) -> None:
    granted, other = (names.set(new_name(), records(ALLOWED)) for _ in range(2))
    guest = new_guest([{"host": granted, "ports": "*"}])
    with Peer(answering(OK)) as peer:
        assert guest.fetch(peer.url(host=granted))["status"] == 200
        denied(guest.fetch(peer.url(host=other)), other, "permissions")
        denied(guest.fetch(peer.url()), ALLOWED)
    assert len(peer.heads) == 1
    assert names.times_asked(other) == 0, "a name that is denied is told to nobody"


def test_another_port(new_guest: NewGuest) -> None:
    with Peer(answering(OK)) as peer, Peer(answering(OK)) as other:
        guest = new_guest([{"host": ALLOWED, "ports": [peer.port]}])
        assert guest.fetch(peer.url())["status"] == 200
        denied(guest.fetch(other.url()), str(other.port))
        span = new_guest([{"host": ALLOWED, "ports": [f"{peer.port}-{peer.port}"]}])
        assert span.fetch(peer.url())["status"] == 200
        denied(span.fetch(other.url()), str(other.port))
        usual = new_guest([ALLOWED])
        denied(usual.fetch(peer.url()), str(peer.port))
    assert not other.visits


def test_another_method(new_guest: NewGuest) -> None:
    with Peer(answering(OK)) as peer:
        guest = new_guest([{"host": ALLOWED, "ports": "*", "methods": ["POST"]}])
        assert guest.fetch(peer.url(), method="POST", body="x")["status"] == 200
        for method in ("GET", "DELETE", "post", "POSTX", "PROPFIND"):
            denied(guest.fetch(peer.url(), method=method), method)
    assert {head.line.split()[0] for head in peer.heads} == {"POST"}


@pytest.mark.parametrize(
    ("pattern", "host", "matches"),
    [
        ("*.example.org", "api.example.org", True),
        ("*.example.org", "deep.api.example.org", True),
        ("*.example.org", "example.org", False),
        ("*.example.org", "evilexample.org", False),
        ("*.example.org", "api.example.org.evil.test", False),
        ("api.example.org", "API.Example.ORG", True),
        ("API.Example.ORG", "api.example.org", True),
        ("api.example.org", "api.example.org.", True),
        ("api.example.org", "api.example.org.evil.test", False),
        ("api.example.org", "xapi.example.org", False),
        ("bücher.example", "xn--bcher-kva.example", True),
        ("xn--bcher-kva.example", "bücher.example", True),
        ("bucher.example", "bücher.example", False),
    ],
)
def test_patterns(
    new_guest: NewGuest, names: Names, pattern: str, host: str, matches: bool
) -> None:
    plain = host.encode("idna").decode().rstrip(".").lower()
    names.set(plain, records(ALLOWED))
    guest = new_guest([{"host": pattern, "ports": "*"}])
    with Peer(answering(OK)) as peer:
        answer = guest.fetch(peer.url(host=host))
        if matches:
            assert answer.get("status") == 200, answer
        else:
            denied(answer)
            assert not peer.visits


@pytest.mark.parametrize(
    "http",
    [
        "everything",
        [{"ports": [80]}],
        [{"host": "a b"}],
        [{"host": "http://example.org"}],
        [{"host": "example.org/path"}],
        [{"host": "*.*.org"}],
        [{"host": "exa*ple.org"}],
        [{"host": "example.org", "ports": [0]}],
        [{"host": "example.org", "ports": [70_000]}],
        [{"host": "example.org", "ports": ["9-1"]}],
        [{"host": "example.org", "methods": ["GET\r\nX: y"]}],
        [{"host": "example.org", "insecure_tls": "yes, please"}],
        [{"host": "example.org", "secrets": ["no_such_parameter"]}],
        [{"host": "example.org", "unknown": True}],
    ],
)
def test_permissions_that_mean_nothing_are_refused_at_upload(admin: Api, http: Any) -> None:
    response = admin.upload(network_pack(unique("network"), http))
    assert 400 <= response.status_code < 500, response.text
    assert "http" in response.json()["error"]


def test_a_policy_narrower_than_the_manifest(names: Names, authority: Authority) -> None:
    good, other = (names.set(new_name(), records(ALLOWED)) for _ in range(2))
    with Peer(answering(OK)) as peer, Peer(answering(OK)) as second:
        policy = f"{good}:{peer.port},*.within.test"
        inside = names.set("a.within.test", records(ALLOWED))
        with reaching(names, authority, egress_hosts=policy) as server:
            guest = Guest(signed_in(server), ANYTHING)
            assert guest.fetch(peer.url(host=good))["status"] == 200
            denied(guest.fetch(second.url(host=good)), "egress")
            assert not second.visits
            denied(guest.fetch(peer.url(host=other)), other, "egress")
            assert guest.fetch(second.url(host=inside))["status"] == 200, "every port"
    assert names.times_asked(other) == 0


def test_a_policy_gives_nothing_that_the_manifest_does_not(
    new_guest: NewGuest, names: Names
) -> None:
    name = names.set(new_name(), records(ALLOWED))
    with Peer(answering(OK)) as peer:
        denied(new_guest(HERE).fetch(peer.url(host=name)), "permissions")


def test_a_denial_is_told_to_the_operator(new_guest: NewGuest, server: Server) -> None:
    host = new_name()
    denied(new_guest(HERE).fetch(f"http://{host}/"))
    lines = [parsed(line) or {} for line in server.log.read_text().splitlines() if host in line]
    [line] = [line for line in lines if "an action's request was denied" in str(line)]
    assert line["level"] == "INFO"
