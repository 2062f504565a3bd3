"""Peers that misuse HTTP/2: requests fail, connections end, and good peers are still spoken to."""

from collections.abc import Callable, Iterator

import pytest
from hyperframe.frame import (
    ContinuationFrame,
    DataFrame,
    Frame,
    GoAwayFrame,
    HeadersFrame,
    PingFrame,
    PriorityFrame,
    PushPromiseFrame,
    RstStreamFrame,
    SettingsFrame,
    WindowUpdateFrame,
)

from support import http2
from support.authority import Authority
from support.guests import Guest, failed
from support.http2 import Http2, Misdeed, misusing
from support.peer import ALLOWED, Peer, Script, Visit

NewPeer = Callable[[Script], Peer]

STATUS = [(":status", "200")]
WHOLE = ("END_HEADERS", "END_STREAM")


@pytest.fixture
def new_peer(authority: Authority) -> NewPeer:
    return lambda script: Peer(script, tls=authority.good(ALLOWED, protocols=("h2",)))


@pytest.fixture
def good_peer(new_peer: NewPeer) -> Iterator[Peer]:
    """Is served as before, after whatever the test did."""
    with new_peer(http2.answering) as peer:
        yield peer


def fails_alone(
    guest: Guest, new_peer: NewPeer, good_peer: Peer, script: Script, *, left: bool = False
) -> None:
    """What this peer does is an error in the action that speaks to it, and nothing else. When it
    is more than one request's affair, the connection is `left`."""
    with new_peer(script) as peer:
        assert guest.fetch(good_peer.url())["body"] == "ok"
        assert len(failed(guest.fetch(peer.url()))) > 10
        assert guest.fetch(good_peer.url())["body"] == "ok"
        if left:
            peer.wait_until_left()
    assert len(peer.visits) <= 4, "tried again, but not for ever"


def test_requests_share_a_connection(guest: Guest, good_peer: Peer) -> None:
    for _ in range(3):
        assert guest.fetch(good_peer.url())["body"] == "ok"
    assert len(good_peer.visits) == 1


# Things that no peer may send.


def reset(connection: Http2, stream: int) -> None:
    connection.send(RstStreamFrame(stream, error_code=2))


def headers_twice(connection: Http2, stream: int) -> None:
    connection.send(connection.headers(stream, STATUS, "END_HEADERS"))
    connection.send(connection.headers(stream, STATUS, "END_HEADERS"))


def data_before_headers(connection: Http2, stream: int) -> None:
    connection.send(DataFrame(stream, b"evil", flags=["END_STREAM"]))


def data_on_a_stream_nobody_opened(connection: Http2, stream: int) -> None:
    connection.send(DataFrame(stream + 100, b"evil"))


def headers_on_stream_0(connection: Http2, _stream: int) -> None:
    connection.visit.send(b"\0\0\1\1\5\0\0\0\0\x88")


def a_broken_header_block(connection: Http2, stream: int) -> None:
    connection.send(HeadersFrame(stream, b"\xff" * 40, flags=["END_HEADERS"]))


def a_frame_that_is_too_large(connection: Http2, stream: int) -> None:
    frame = DataFrame(stream, b"x" * 5_000_000)
    connection.send(connection.headers(stream, STATUS, "END_HEADERS"), frame)


def a_push(connection: Http2, stream: int) -> None:
    block = connection.headers(stream, [(":method", "GET"), (":path", "/evil")]).data
    connection.send(PushPromiseFrame(stream, 2, block, flags=["END_HEADERS"]))


def a_window_that_overflows(connection: Http2, _stream: int) -> None:
    for _ in range(2):
        connection.send(WindowUpdateFrame(0, window_increment=0x7FFFFFFF))


def a_window_of_nothing(connection: Http2, _stream: int) -> None:
    connection.visit.send(b"\0\0\4\x08\0\0\0\0\0\0\0\0\0")


def settings_that_cannot_be(connection: Http2, _stream: int) -> None:
    connection.send(SettingsFrame(0, settings={SettingsFrame.INITIAL_WINDOW_SIZE: 0xFFFFFFFF}))


def a_ping_of_the_wrong_size(connection: Http2, _stream: int) -> None:
    connection.visit.send(b"\0\0\1\6\0\0\0\0\0x")


def plain_http(connection: Http2, _stream: int) -> None:
    connection.visit.send(b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok")


def a_head_that_is_interrupted(connection: Http2, stream: int) -> None:
    connection.send(connection.headers(stream, STATUS))
    connection.send(PingFrame(0, b"x" * 8))


def the_end(connection: Http2, _stream: int) -> None:
    connection.send(GoAwayFrame(0, last_stream_id=0, error_code=11))


def less_than_its_length(connection: Http2, stream: int) -> None:
    fields = [*STATUS, ("content-length", "10")]
    connection.send(connection.headers(stream, fields, "END_HEADERS"))
    connection.send(DataFrame(stream, b"ok", flags=["END_STREAM"]))


def more_than_its_length(connection: Http2, stream: int) -> None:
    fields = [*STATUS, ("content-length", "2")]
    connection.send(connection.headers(stream, fields, "END_HEADERS"))
    connection.send(DataFrame(stream, b"ok, evil", flags=["END_STREAM"]))


def two_lengths(connection: Http2, stream: int) -> None:
    fields = [*STATUS, ("content-length", "2"), ("content-length", "3")]
    connection.send(connection.headers(stream, fields, "END_HEADERS"))
    connection.send(DataFrame(stream, b"ok", flags=["END_STREAM"]))


def no_status(connection: Http2, stream: int) -> None:
    connection.send(connection.headers(stream, [("x", "y")], *WHOLE))


def no_such_status(connection: Http2, stream: int) -> None:
    connection.send(connection.headers(stream, [(":status", "20x")], *WHOLE))


def switching_protocols(connection: Http2, stream: int) -> None:
    connection.send(connection.headers(stream, [(":status", "101")], "END_HEADERS"))


def a_late_status(connection: Http2, stream: int) -> None:
    connection.send(connection.headers(stream, [("x", "y"), *STATUS], *WHOLE))


def a_line_break_in_a_value(connection: Http2, stream: int) -> None:
    connection.send(connection.headers(stream, [*STATUS, ("x", "y\r\nevil: z")], *WHOLE))


def a_line_break_in_a_name(connection: Http2, stream: int) -> None:
    connection.send(connection.headers(stream, [*STATUS, ("x\r\nevil", "z")], *WHOLE))


def capitals_in_a_name(connection: Http2, stream: int) -> None:
    connection.send(connection.headers(stream, [*STATUS, ("Evil", "z")], *WHOLE))


def a_huge_head(connection: Http2, stream: int) -> None:
    block = connection.headers(stream, STATUS + [(f"x-{n}", "y" * 4_000) for n in range(1_000)])
    send_block(connection, stream, block.data)


def a_head_that_unpacks(connection: Http2, stream: int) -> None:
    """4,000 bytes that are sent once and meant 30,000 times."""
    first = connection.headers(stream, [*STATUS, ("bomb", "x" * 4_000)]).data
    send_block(connection, stream, first + b"\xbe" * 30_000)


def send_block(connection: Http2, stream: int, block: bytes) -> None:
    parts = [block[start : start + 16_000] for start in range(0, len(block), 16_000)]
    connection.send(HeadersFrame(stream, parts[0]))
    for part in parts[1:]:
        connection.send(ContinuationFrame(stream, part))
    connection.send(ContinuationFrame(stream, b"", flags=["END_HEADERS"]))


MISDEEDS = [
    *(reset, headers_twice, data_before_headers, data_on_a_stream_nobody_opened),
    *(headers_on_stream_0, a_broken_header_block, a_frame_that_is_too_large, a_push),
    *(a_window_that_overflows, a_window_of_nothing, settings_that_cannot_be),
    *(a_ping_of_the_wrong_size, plain_http, a_head_that_is_interrupted, the_end),
    *(less_than_its_length, more_than_its_length, two_lengths, no_status, no_such_status),
    *(switching_protocols, a_late_status, a_line_break_in_a_value, a_line_break_in_a_name),
    *(capitals_in_a_name, a_huge_head, a_head_that_unpacks),
]


@pytest.mark.parametrize("misdeed", MISDEEDS, ids=lambda misdeed: misdeed.__name__)
def test_one_wrong_thing(
    hasty: Guest, new_peer: NewPeer, good_peer: Peer, misdeed: Misdeed
) -> None:
    """Where HTTP/2 leaves open what a client does about it, the 400 ms end it."""
    fails_alone(hasty, new_peer, good_peer, misusing(misdeed))


# Too much of what a peer may send.


ENDLESS: dict[str, Callable[[int], Frame]] = {
    "pings": lambda _: PingFrame(0, b"x" * 8),
    "settings": lambda _: SettingsFrame(0, settings={SettingsFrame.MAX_CONCURRENT_STREAMS: 9}),
    "acknowledgements": lambda _: SettingsFrame(0, flags=["ACK"]),
    "priorities": lambda stream: PriorityFrame(stream, depends_on=0, stream_weight=1),
    "windows": lambda stream: WindowUpdateFrame(stream, window_increment=1),
    "resets": lambda stream: RstStreamFrame(stream, error_code=8),
    "goodbyes": lambda stream: GoAwayFrame(0, last_stream_id=stream),
    "strays": lambda stream: ContinuationFrame(stream, b""),
}


@pytest.mark.parametrize("kind", ENDLESS)
def test_floods_before_an_answer(
    hasty: Guest, new_peer: NewPeer, good_peer: Peer, kind: str
) -> None:
    def flood(connection: Http2, stream: int) -> None:
        many = ENDLESS[kind](stream).serialize() * 500
        while True:
            connection.visit.send(many)

    fails_alone(hasty, new_peer, good_peer, misusing(flood), left=True)


@pytest.mark.parametrize("block", [b"", b"\x00\x01x\x01y" * 1_000], ids=["empty", "fields"])
def test_a_head_without_an_end(
    hasty: Guest, new_peer: NewPeer, good_peer: Peer, block: bytes
) -> None:
    def flood(connection: Http2, stream: int) -> None:
        connection.send(connection.headers(stream, STATUS))
        many = ContinuationFrame(stream, block).serialize() * 20
        while True:
            connection.visit.send(many)

    fails_alone(hasty, new_peer, good_peer, misusing(flood), left=True)


@pytest.mark.parametrize("status", ["100", "103"])
def test_interim_answers_without_an_end(
    hasty: Guest, new_peer: NewPeer, good_peer: Peer, status: str
) -> None:
    def flood(connection: Http2, stream: int) -> None:
        while True:
            frame = connection.headers(stream, [(":status", status)], "END_HEADERS")
            connection.visit.send(frame.serialize() * 100)

    fails_alone(hasty, new_peer, good_peer, misusing(flood), left=True)


@pytest.mark.parametrize("size", [0, 1, 10_000])
def test_a_body_that_ignores_the_window(
    hasty: Guest, new_peer: NewPeer, good_peer: Peer, size: int
) -> None:
    """Empty frames cost no window, and are for ever nothing; of others there are too many."""

    def flood(connection: Http2, stream: int) -> None:
        connection.send(connection.headers(stream, STATUS, "END_HEADERS"))
        many = DataFrame(stream, b"x" * size).serialize() * 200
        while True:
            connection.visit.send(many)

    fails_alone(hasty, new_peer, good_peer, misusing(flood), left=True)


def test_padding_without_an_end(hasty: Guest, new_peer: NewPeer, good_peer: Peer) -> None:
    def flood(connection: Http2, stream: int) -> None:
        connection.send(connection.headers(stream, STATUS, "END_HEADERS"))
        padded = DataFrame(stream, b"", pad_length=255, flags=["PADDED"])
        while True:
            connection.visit.send(padded.serialize() * 100)

    fails_alone(hasty, new_peer, good_peer, misusing(flood), left=True)


# Too little.


def nothing(_connection: Http2, _stream: int) -> None:
    pass


def test_a_peer_that_has_fallen_silent_is_asked_anew(hasty: Guest, new_peer: NewPeer) -> None:
    """Not over the connection on which nothing came any more."""

    def script(visit: Visit) -> None:
        connection = Http2(visit)
        connection.greet()
        stream = connection.request()[0]
        if len(peer.visits) > 1:
            connection.answer(stream)
        visit.until_ended()

    with new_peer(script) as peer:
        failed(hasty.fetch(peer.url()))
        assert hasty.fetch(peer.url())["body"] == "ok"


def test_no_answer(hasty: Guest, new_peer: NewPeer, good_peer: Peer) -> None:
    fails_alone(hasty, new_peer, good_peer, misusing(nothing))


def test_no_greeting(hasty: Guest, new_peer: NewPeer, good_peer: Peer) -> None:
    fails_alone(hasty, new_peer, good_peer, lambda visit: visit.until_ended())


def test_a_head_that_stops(hasty: Guest, new_peer: NewPeer, good_peer: Peer) -> None:
    def begin(connection: Http2, stream: int) -> None:
        connection.send(connection.headers(stream, STATUS))

    fails_alone(hasty, new_peer, good_peer, misusing(begin))


def test_a_body_that_stops(hasty: Guest, new_peer: NewPeer, good_peer: Peer) -> None:
    def begin(connection: Http2, stream: int) -> None:
        connection.send(connection.headers(stream, STATUS, "END_HEADERS"))
        connection.send(DataFrame(stream, b"part"))

    fails_alone(hasty, new_peer, good_peer, misusing(begin))


def test_a_window_that_never_opens(hasty: Guest, new_peer: NewPeer) -> None:
    with new_peer(misusing(nothing, initial_window_size=0)) as peer:
        failed(hasty.fetch(peer.url(), method="POST", body="x" * 100_000))
    assert len(peer.received) < 70_000, "what goes before the peer's settings are known"


def test_no_streams_allowed(hasty: Guest, new_peer: NewPeer) -> None:
    def script(visit: Visit) -> None:
        connection = Http2(visit)
        connection.greet(max_concurrent_streams=0)
        connection.until_ended()

    with new_peer(script) as peer:
        for _ in range(2):
            failed(hasty.fetch(peer.url()))


# Again and again.


def test_every_request_is_reset(guest: Guest, new_peer: NewPeer) -> None:
    counted = []

    def script(visit: Visit) -> None:
        connection = Http2(visit)
        connection.greet()
        while (stream := connection.request()[0]) != 0:
            counted.append(stream)
            connection.send(RstStreamFrame(stream, error_code=7))

    with new_peer(script) as peer:
        for _ in range(5):
            failed(guest.fetch(peer.url()))
        failed(guest.fetch(peer.url(), method="POST", body="pay 100"))
    assert len(counted) <= 24, "a refused stream may be tried again, a few times"
    assert len(peer.visits) <= 12


def test_every_connection_says_goodbye_at_once(guest: Guest, new_peer: NewPeer) -> None:
    def script(visit: Visit) -> None:
        connection = Http2(visit)
        connection.greet()
        connection.send(GoAwayFrame(0, last_stream_id=0))

    with new_peer(script) as peer:
        for _ in range(3):
            failed(guest.fetch(peer.url()))
        peer.wait_until_left()
    assert len(peer.visits) <= 12, "a few tries for each request"


def test_a_goodbye_lets_what_was_begun_come_to_its_end(guest: Guest, new_peer: NewPeer) -> None:
    def script(visit: Visit) -> None:
        connection = Http2(visit)
        connection.greet()
        stream = connection.request()[0]
        connection.send(GoAwayFrame(0, last_stream_id=stream))
        connection.answer(stream)
        connection.until_ended()

    with new_peer(script) as peer:
        for number in range(1, 4):
            assert guest.fetch(peer.url())["body"] == "ok"
            assert len(peer.visits) == number, "not the connection that is about to close"


def test_fields_of_a_connection_are_not_for_the_action(guest: Guest, new_peer: NewPeer) -> None:
    fields = [*STATUS, ("connection", "close"), ("transfer-encoding", "chunked")]

    def answer(connection: Http2, stream: int) -> None:
        connection.send(connection.headers(stream, fields, "END_HEADERS"))
        connection.send(DataFrame(stream, b"0\r\n\r\nevil", flags=["END_STREAM"]))

    with new_peer(misusing(answer)) as peer:
        seen = guest.fetch(peer.url())
    if "error" not in seen:
        assert "transfer-encoding" not in {name.lower() for name, _ in seen["headers"]}
        assert seen["body"] == "0\r\n\r\nevil"
