"""Secrets that the broker fills in: the action never holds them, and only one host gets them."""

from collections.abc import Callable, Iterator

import pytest

from support.api import SECRETS, Api
from support.guests import Guest, denied, failed
from support.names import Names, new_name, records
from support.packs import unique
from support.peer import ALLOWED, OK, PRIVATE, Peer, answering, redirecting
from support.sse import log_events, log_text

NewGuest = Callable[..., Guest]

HOLDER = "{{secret:api_token}}"
PARAMETERS = {
    "api_token": {"type": "string", "secret": True},
    "other_token": {"type": "string", "secret": True},
}


@pytest.fixture
def secret() -> str:
    value = unique("secret-value")
    # Whatever log it stands in fails the test.
    SECRETS.add(value)
    return value


@pytest.fixture
def trusting(new_guest: NewGuest) -> Guest:
    """Its secret is for 127.0.0.2; it may speak to others as well."""
    http = [
        {"host": ALLOWED, "ports": "*", "secrets": ["api_token"]},
        {"host": "*.test", "ports": "*"},
    ]
    return new_guest(http, parameters=PARAMETERS)


@pytest.fixture
def peer() -> Iterator[Peer]:
    with Peer(answering(OK)) as peer:
        yield peer


def test_it_is_filled_in_in_a_header(trusting: Guest, peer: Peer, secret: str) -> None:
    headers = {"Authorization": f"Bearer {HOLDER}", "X-Twice": f"{HOLDER}-{HOLDER}"}
    answer = trusting.fetch(peer.url(), headers=headers, api_token=secret)
    assert answer["status"] == 200
    assert peer.heads[0].all("authorization") == [f"Bearer {secret}"]
    assert peer.heads[0].all("x-twice") == [f"{secret}-{secret}"]


def test_it_is_filled_in_in_a_body(trusting: Guest, peer: Peer, secret: str) -> None:
    body = f'{{"token": "{HOLDER}"}}'
    answer = trusting.fetch(peer.url(), method="POST", body=body, api_token=secret)
    assert answer["status"] == 200
    assert peer.received.endswith(f'\r\n\r\n{{"token": "{secret}"}}'.encode())


def test_it_is_filled_in_in_a_body_that_comes_in_pieces(
    trusting: Guest, peer: Peer, secret: str
) -> None:
    head = f"POST / HTTP/1.1\r\nHost: {ALLOWED}:{peer.port}\r\nTransfer-Encoding: chunked\r\n\r\n"
    pieces = [f"5\r\n{HOLDER[:5]}\r\n", f"{len(HOLDER) - 5:x}\r\n{HOLDER[5:]}\r\n0\r\n\r\n"]
    where = {"host": ALLOWED, "port": peer.port, "timeout": 2}
    trusting.run("raw", send=[head, *pieces], api_token=secret, **where)
    assert secret.encode() in peer.received
    assert HOLDER.encode() not in peer.received


def test_the_action_holds_the_placeholder_alone(trusting: Guest, admin: Api, secret: str) -> None:
    seen = trusting.run("parameters", api_token=secret)
    assert seen["parameters"]["api_token"] == HOLDER
    assert secret not in str(seen)
    assert admin


def test_a_secret_of_no_host_is_given_to_the_action_as_ever(trusting: Guest, secret: str) -> None:
    assert trusting.run("parameters", other_token="plain")["parameters"]["other_token"] == "plain"
    assert secret


def test_it_stands_nowhere_else(trusting: Guest, peer: Peer, secret: str, admin: Api) -> None:
    parameters = {"url": peer.url(), "api_token": secret, "headers": {"X": HOLDER}}
    ended = admin.run(f"{trusting.ref}.fetch", parameters)
    assert secret in str(peer.received)
    assert secret not in str(ended)
    for path in ("", "/logs/stdout", "/logs/stderr"):
        assert secret not in admin.get(f"/api/v1/executions/{ended['id']}{path}").text
    for stream in ("stdout", "stderr"):
        assert secret not in log_text(log_events(admin, ended["id"], stream))
    assert secret not in admin.get("/api/v1/executions").text


@pytest.mark.parametrize("where", ["headers", "body"])
def test_for_another_host_it_is_denied(
    trusting: Guest, names: Names, peer: Peer, secret: str, where: str
) -> None:
    other = names.set(new_name(), records(ALLOWED))
    holder: dict[str, object] = {"headers": {"X": HOLDER}, "body": f"x{HOLDER}"}
    more = {where: holder[where], "method": "POST"}
    denied(trusting.fetch(peer.url(host=other), api_token=secret, **more), "api_token")
    assert secret.encode() not in peer.received
    assert trusting.fetch(peer.url(host=other), api_token=secret)["status"] == 200


def test_a_host_header_makes_no_other_host_of_it(
    trusting: Guest, names: Names, peer: Peer, secret: str
) -> None:
    other = names.set(new_name(), records(ALLOWED))
    headers = {"Host": f"{ALLOWED}:{peer.port}", "X": HOLDER}
    trusting.fetch(peer.url(host=other), headers=headers, api_token=secret)
    assert secret.encode() not in peer.received


def test_it_does_not_follow_a_redirect(
    trusting: Guest, names: Names, peer: Peer, secret: str
) -> None:
    other = names.set(new_name(), records(ALLOWED))
    with Peer(redirecting(peer.url(host=other))) as first:
        denied(trusting.run("follow", url=first.url(), headers={"X": HOLDER}, api_token=secret))
        assert secret.encode() in first.received
    assert secret.encode() not in peer.received


@pytest.mark.parametrize(
    "holder",
    ["{{secret:other_token}}", "{{secret:no_such}}", "{{secret:}}", "{{secret:api_token", "{{"],
)
def test_what_is_no_placeholder_of_this_host_fills_nothing_in(
    trusting: Guest, peer: Peer, secret: str, holder: str
) -> None:
    given = {"api_token": secret, "other_token": unique("other-value")}
    trusting.fetch(peer.url(), headers={"X": holder}, **given)
    for value in given.values():
        assert value.encode() not in peer.received


@pytest.mark.parametrize("place", ["/{}", "/?q={}", "/%7B%7Bsecret:api_token%7D%7D"])
def test_a_url_is_no_place_for_it(trusting: Guest, peer: Peer, secret: str, place: str) -> None:
    trusting.fetch(peer.url(place.format(HOLDER)), api_token=secret)
    assert secret.encode() not in peer.received


def test_nor_is_the_name_of_a_header(trusting: Guest, peer: Peer, secret: str) -> None:
    fields = f"Host: {ALLOWED}:{peer.port}\r\nX-{HOLDER}: y\r\n"
    send = [f"GET / HTTP/1.1\r\n{fields}\r\n"]
    trusting.run("raw", host=ALLOWED, port=peer.port, send=send, api_token=secret, timeout=2)
    assert secret.encode() not in peer.received


@pytest.mark.parametrize("value", ["a\r\nInjected: y", "a\r\n\r\nDELETE / HTTP/1.1", "a\0b"])
def test_a_secret_that_is_no_value_of_a_header(trusting: Guest, peer: Peer, value: str) -> None:
    failed(trusting.fetch(peer.url(), headers={"X": HOLDER}, api_token=value))
    assert b"njected" not in peer.received
    assert b"DELETE" not in peer.received


def test_a_secret_that_holds_a_placeholder(trusting: Guest, peer: Peer, secret: str) -> None:
    """What was filled in is not looked at again."""
    given = {"api_token": "{{secret:other_token}}", "other_token": secret}
    trusting.fetch(peer.url(), headers={"X": HOLDER}, **given)
    assert secret.encode() not in peer.received


def test_the_length_is_that_of_what_is_sent(trusting: Guest, peer: Peer, secret: str) -> None:
    trusting.fetch(peer.url(), method="POST", body=f"a{HOLDER}b", api_token=secret)
    assert peer.received.endswith(f"a{secret}b".encode())
    assert peer.heads[0].all("content-length") in ([str(len(secret) + 2)], [])


def test_a_body_that_is_too_large_to_look_at(trusting: Guest, peer: Peer, secret: str) -> None:
    """Beyond 1 MiB it is an error, or goes as it is; it is never filled in half."""
    body = "x" * (1 << 20) + HOLDER
    answer = trusting.fetch(peer.url(), method="POST", body=body, api_token=secret)
    assert secret.encode() not in peer.received
    assert "error" in answer or HOLDER.encode() in peer.received


def test_no_address_that_is_not_public_gets_it(trusting: Guest, secret: str) -> None:
    with Peer(answering(OK), PRIVATE) as spy:
        failed(trusting.fetch(spy.url(), headers={"X": HOLDER}, api_token=secret))
    assert not spy.visits
