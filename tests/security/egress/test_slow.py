"""Peers that take their time: an end comes, and nobody else waits for it."""

import socket
import threading
from collections.abc import Callable

import pytest

from support.guests import HERE, Guest, failed
from support.peer import ALLOWED, OK, Peer, Script, Visit, answering, then_silent

NewGuest = Callable[..., Guest]

# Shorter than the 400 ms in which something has to come.
PACE = 0.1


def silent(visit: Visit) -> None:
    visit.until_ended()


def dripping(first: bytes, drop: bytes) -> Script:
    """A little now and then, for as long as somebody listens."""

    def script(visit: Visit) -> None:
        visit.request()
        visit.send(first)
        threading.Thread(target=visit.until_ended, daemon=True).start()
        while not visit.ended.wait(PACE):
            visit.send(drop)

    return script


def test_no_answer(hasty: Guest) -> None:
    with Peer(silent) as peer:
        assert hasty.fetch(peer.url())["error"] == "TimeoutError"
        peer.wait_until_left()


@pytest.mark.parametrize(
    "begun",
    [b"HTTP/1.1", b"HTTP/1.1 200 OK\r\nx: y\r\n", b"HTTP/1.1 100 Continue\r\n\r\n"],
)
def test_a_head_that_stops(hasty: Guest, begun: bytes) -> None:
    with Peer(then_silent(begun)) as peer:
        failed(hasty.fetch(peer.url()))
        peer.wait_until_left()


@pytest.mark.parametrize(
    ("first", "drop"),
    [
        (b"HTTP/1.1 200 OK\r\n", b"x: y\r\n"),
        (b"HTTP/1.1 200 OK\r\nx: ", b"y"),
        (b"", b"HTTP/1.1 100 Continue\r\n\r\n"),
        (b"", b"\r\n"),
    ],
    ids="fields value continue lines".split(),
)
def test_a_head_that_drips(hasty: Guest, first: bytes, drop: bytes) -> None:
    with Peer(dripping(first, drop)) as peer:
        failed(hasty.fetch(peer.url()))
        peer.wait_until_left()


@pytest.mark.parametrize(
    "begun",
    [
        b"HTTP/1.1 200 OK\r\ncontent-length: 100\r\n\r\npart",
        b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n4\r\npart\r\n",
        b"HTTP/1.1 200 OK\r\n\r\npart",
    ],
    ids="length chunks until_close".split(),
)
def test_a_body_that_stops(hasty: Guest, begun: bytes) -> None:
    with Peer(then_silent(begun)) as peer:
        answer = hasty.fetch(peer.url())
        failed(answer)
        assert (answer["status"], answer["body"]) == (200, "part")
        peer.wait_until_left()


def test_a_body_that_drips_is_read_until_the_run_ends(new_guest: NewGuest) -> None:
    guest = new_guest(HERE)
    with Peer(dripping(b"HTTP/1.1 200 OK\r\n\r\n", b"x")) as peer:
        number = guest.submit("fetch", url=peer.url())
        peer.wait_for(1)
        assert guest.api.cancel(number).status_code == 200
        assert guest.api.ended(number)["status"] == "cancelled"
        peer.wait_until_left()


def test_a_request_that_is_not_read(hasty: Guest) -> None:
    """The peer takes the head and then no more, so what is to be sent fills all buffers."""
    released = threading.Event()

    def script(visit: Visit) -> None:
        visit.head()
        released.wait(20)

    with Peer(script) as peer:
        failed(hasty.fetch(peer.url(), method="POST", body="x" * 999_999, timeout=2))
        released.set()


def test_the_guest_s_own_timeout_is_kept(guest: Guest) -> None:
    with Peer(silent) as peer:
        assert guest.fetch(peer.url(), timeout=0.3)["error"] == "TimeoutError"
        peer.wait_until_left()
    with Peer(then_silent(b"HTTP/1.1 200 OK\r\ncontent-length: 9\r\n\r\npart")) as peer:
        assert guest.fetch(peer.url(), timeout=0.3)["error"] == "TimeoutError"


def test_a_connection_that_nobody_accepts(hasty: Guest) -> None:
    with socket.socket() as listener:
        listener.bind((ALLOWED, 0))
        listener.listen(0)
        port = listener.getsockname()[1]
        # What the queue takes is connected; the next one waits for ever.
        waiting = [socket.socket() for _ in range(4)]
        for one in waiting:
            one.setblocking(False)
            one.connect_ex((ALLOWED, port))
        assert hasty.fetch(f"http://{ALLOWED}:{port}/")["error"] == "TimeoutError"
        for one in waiting:
            one.close()


def test_a_port_that_nobody_listens_on(guest: Guest) -> None:
    with Peer(answering(OK)) as gone:
        url = gone.url()
    assert guest.fetch(url)["error"] == "ConnectionRefusedError"
