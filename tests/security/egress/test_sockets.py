"""There is nothing below HTTP: raw sockets reach nobody and hear nobody."""

import socket
from collections.abc import Callable, Iterator

import pytest

from support.guests import ANYTHING, Guest
from support.names import Names, new_name, records
from support.peer import ALLOWED, OK, PRIVATE, Peer, answering

NewGuest = Callable[..., Guest]


@pytest.fixture(params=[ALLOWED, PRIVATE, "127.0.0.1"])
def peer(request: pytest.FixtureRequest) -> Iterator[Peer]:
    with Peer(answering(OK), request.param) as peer:
        yield peer


@pytest.mark.parametrize("original", [False, True], ids=["ours", "original"])
@pytest.mark.parametrize("http", [None, ANYTHING], ids=["nothing", "anything"])
def test_raw_sockets_are_refused(
    new_guest: NewGuest, names: Names, peer: Peer, http: object, original: bool
) -> None:
    name = names.set(new_name(), records(ALLOWED))
    given = {"host": peer.host, "port": peer.port, "name": name, "original": original}
    attempts = new_guest(http).run("sockets", **given)
    succeeded = {how for how, end in attempts.items() if "refused" not in end}
    granted = http is not None and peer.host == ALLOWED and not original
    # What stands for it connects where a request could go, and lets nothing but requests through.
    assert succeeded <= ({"connect", "connect_ex"} if granted else set()), attempts
    assert granted or not peer.visits
    assert peer.received == b""
    assert names.times_asked(name) == 0


@pytest.mark.parametrize("original", [False, True], ids=["ours", "original"])
def test_a_datagram_is_sent_to_nobody(guest: Guest, original: bool) -> None:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as receiver:
        receiver.bind((ALLOWED, 0))
        port = receiver.getsockname()[1]
        guest.run("sockets", host=ALLOWED, port=port, name="x.test", original=original)
        receiver.setblocking(False)
        with pytest.raises(BlockingIOError):
            receiver.recv(100)


@pytest.mark.parametrize(
    "sent",
    ["EHLO there\r\nMAIL FROM:<a@b>\r\n", "\0" * 1_000, "PING\r\n", "*1\r\n$4\r\nPING\r\n"],
    ids=["smtp", "zeros", "line", "redis"],
)
def test_other_protocols_than_http_are_not_spoken(guest: Guest, sent: str) -> None:
    with Peer(answering(OK)) as peer:
        guest.run("raw", host=ALLOWED, port=peer.port, send=[sent, sent], timeout=1)
    assert peer.received == b""
