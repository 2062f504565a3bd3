"""Certificates are checked, unless manifest and policy both let them be."""

from collections.abc import Callable

import pytest

from support.authority import Authority
from support.egress import signed_in
from support.guests import HERE, Guest, denied, failed
from support.names import Names, new_name, records
from support.peer import ALLOWED, OK, Peer, Visit, answering, then_silent
from support.server import Server

NewGuest = Callable[..., Guest]

INSECURE = [{"host": ALLOWED, "ports": "*", "insecure_tls": True}]
NO_TLS = [OK, b"\x15\x03\x03\x00\x02\x02\x28", b"\x16\x03\x03\xff\xff" + b"x" * 1_000, b""]


def test_a_good_certificate(guest: Guest, authority: Authority) -> None:
    with Peer(answering(OK), tls=authority.good(ALLOWED)) as peer:
        assert guest.fetch(peer.url())["status"] == 200


@pytest.mark.parametrize("what", ["stranger", "expired", "other_host"])
def test_a_certificate_that_is_not_valid(
    new_guest: NewGuest, authority: Authority, what: str
) -> None:
    contexts = {
        "stranger": lambda: authority.of_a_stranger(ALLOWED),
        "expired": lambda: authority.expired(ALLOWED),
        "other_host": lambda: authority.good("other.test"),
    }
    with Peer(answering(OK), tls=contexts[what]()) as peer:
        answer = new_guest(HERE).fetch(peer.url())
        assert answer["error"] == "SSLCertVerificationError", answer
        assert not peer.heads, "nothing is told to somebody who is not who they say"
        allowed = new_guest(INSECURE)
        assert allowed.fetch(peer.url())["error"] == "SSLCertVerificationError"
        assert allowed.fetch(peer.url(), insecure=True)["status"] == 200


def test_insecure_tls_without_a_grant(new_guest: NewGuest, authority: Authority) -> None:
    with Peer(answering(OK), tls=authority.of_a_stranger(ALLOWED)) as peer:
        denied(new_guest(HERE).fetch(peer.url(), insecure=True), "insecure_tls")
        by_hand = {"attune-insecure-tls": "true"}
        failed(new_guest(HERE).fetch(peer.url(), headers=by_hand))
    assert not peer.heads


def test_insecure_tls_that_the_policy_forbids(
    impatient_server: Server, watched: Callable[[Server], None], authority: Authority
) -> None:
    watched(impatient_server)
    guest = Guest(signed_in(impatient_server), INSECURE)
    with Peer(answering(OK), tls=authority.of_a_stranger(ALLOWED)) as peer:
        denied(guest.fetch(peer.url(), insecure=True), "egress")
    assert not peer.heads


def test_a_connection_that_was_not_checked_serves_nobody_else(
    new_guest: NewGuest, authority: Authority
) -> None:
    careless, careful = new_guest(INSECURE), new_guest(HERE)
    with Peer(answering(OK), tls=authority.of_a_stranger(ALLOWED)) as peer:
        for _ in range(3):
            assert careless.fetch(peer.url(), insecure=True)["status"] == 200
            failed(careful.fetch(peer.url()))
            failed(careless.fetch(peer.url()))
    assert len(peer.heads) == 3


def test_the_name_is_checked_not_the_address(
    new_guest: NewGuest, authority: Authority, names: Names
) -> None:
    name = names.set(new_name(), records(ALLOWED))
    guest = new_guest([{"host": "*", "ports": "*"}])
    with Peer(answering(OK), tls=authority.good(name)) as peer:
        assert guest.fetch(peer.url(host=name))["status"] == 200
        assert guest.fetch(peer.url())["error"] == "SSLCertVerificationError"


@pytest.mark.parametrize("answer", NO_TLS, ids=["http", "alert", "huge_record", "nothing"])
def test_somebody_who_speaks_no_tls(guest: Guest, answer: bytes) -> None:
    def script(visit: Visit) -> None:
        visit.more()
        visit.send(answer)

    with Peer(script) as peer:
        failed(guest.fetch(peer.url().replace("http:", "https:")))
        peer.wait_until_left()


def test_a_handshake_that_stops(hasty: Guest) -> None:
    with Peer(lambda visit: visit.until_ended()) as peer:
        failed(hasty.fetch(peer.url().replace("http:", "https:")))
        peer.wait_until_left()


def test_a_body_that_was_cut_off(guest: Guest, authority: Authority) -> None:
    """Without TLS's own word for it the end of a connection may be anybody's doing."""
    half = b"HTTP/1.1 200 OK\r\n\r\nhalf"

    def script(visit: Visit) -> None:
        visit.request()
        visit.send(half)
        # Closes the socket below TLS.
        visit.connection.shutdown(2)

    with Peer(script, tls=authority.good(ALLOWED)) as peer:
        failed(guest.fetch(peer.url()))


def test_no_plain_text_to_a_port_of_tls(guest: Guest, authority: Authority) -> None:
    with Peer(then_silent(), tls=authority.good(ALLOWED)) as peer:
        failed(guest.fetch(peer.url().replace("https:", "http:"), timeout=2))
    assert not peer.heads
