"""Redirects are followed by the guest's own client, and checked like any request."""

from collections.abc import Callable

import pytest

from support.guests import HERE, Guest, denied
from support.names import Names, new_name, records
from support.peer import ALLOWED, OK, PRIVATE, Peer, answering, redirecting

NewGuest = Callable[..., Guest]


def test_to_where_it_is_allowed(guest: Guest) -> None:
    with Peer(answering(OK)) as target, Peer(redirecting(target.url("/there"))) as peer:
        answer = guest.run("follow", url=peer.url())
    assert (answer["status"], answer["url"]) == (200, target.url("/there"))


@pytest.mark.parametrize("host", [PRIVATE, "127.0.0.1", "localhost", "2130706433"])
def test_to_an_address_that_is_not_public(new_guest: NewGuest, host: str) -> None:
    guest = new_guest([{"host": "*", "ports": "*"}])
    with Peer(answering(OK), "0.0.0.0") as spy, Peer(redirecting(spy.url(host=host))) as peer:
        answer = guest.run("follow", url=peer.url())
    assert "error" in answer, answer
    assert not spy.visits
    assert len(peer.heads) == 1


def test_to_a_host_that_is_not_granted(guest: Guest, names: Names) -> None:
    name = names.set(new_name(), records(ALLOWED))
    with Peer(answering(OK)) as spy, Peer(redirecting(spy.url(host=name))) as peer:
        denied(guest.run("follow", url=peer.url()), name)
    assert not spy.visits


def test_to_a_port_that_is_not_granted(new_guest: NewGuest) -> None:
    with Peer(answering(OK)) as spy, Peer(redirecting(spy.url())) as peer:
        guest = new_guest([{"host": ALLOWED, "ports": [peer.port]}])
        denied(guest.run("follow", url=peer.url()), str(spy.port))
    assert not spy.visits


def test_in_a_circle(guest: Guest) -> None:
    with Peer(redirecting("/")) as peer:
        answer = guest.run("follow", url=peer.url())
    assert answer["error"] == "HTTPError", answer


def test_through_a_chain_that_ends_within(new_guest: NewGuest) -> None:
    guest = new_guest(HERE)
    with (
        Peer(answering(OK), PRIVATE) as spy,
        Peer(redirecting(spy.url())) as last,
        Peer(redirecting(last.url())) as peer,
    ):
        denied(guest.run("follow", url=peer.url()), PRIVATE)
    assert (len(peer.heads), len(last.heads), len(spy.visits)) == (1, 1, 0)
