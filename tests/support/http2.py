"""HTTP/2 frame by frame, for peers that misuse them."""

from collections.abc import Callable
from dataclasses import dataclass, field

from hpack import Decoder, Encoder
from hyperframe.frame import (
    ContinuationFrame,
    DataFrame,
    Frame,
    HeadersFrame,
    SettingsFrame,
)

from support.peer import Script, Visit

PREFACE = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"

Fields = list[tuple[str, str]]


@dataclass
class Http2:
    """The server's side of one connection."""

    visit: Visit
    # Kinds of the frames that came.
    kinds: list[str] = field(default_factory=list)
    _encoder: Encoder = field(default_factory=Encoder)
    _decoder: Decoder = field(default_factory=Decoder)

    def greet(self, **settings: int) -> None:
        """Exchange prefaces; the settings are named as hyperframe names them."""
        assert self.visit.exactly(len(PREFACE)) == PREFACE
        named = {getattr(SettingsFrame, name.upper()): value for name, value in settings.items()}
        self.send(SettingsFrame(0, settings=named))

    def send(self, *frames: Frame) -> None:
        self.visit.send(*(frame.serialize() for frame in frames))

    def frame(self) -> Frame | None:
        """The next frame, but for acknowledgements; None once there are no more."""
        while True:
            head = self.visit.exactly(9)
            if len(head) < 9:
                return None
            frame, length = Frame.parse_frame_header(memoryview(head))
            frame.parse_body(memoryview(self.visit.exactly(length)))
            self.kinds.append(type(frame).__name__)
            if not isinstance(frame, SettingsFrame):
                return frame
            if "ACK" not in frame.flags:
                self.send(SettingsFrame(0, flags=["ACK"]))

    def request(self) -> tuple[int, Fields]:
        """The next request's stream and fields; stream 0 if none comes."""
        while frame := self.frame():
            if isinstance(frame, HeadersFrame):
                block = frame.data
                while "END_HEADERS" not in frame.flags:
                    more = self.frame()
                    assert isinstance(more, ContinuationFrame)
                    block, frame = block + more.data, more
                return frame.stream_id, [
                    (str(name), str(value)) for name, value in self._decoder.decode(block)
                ]
        return 0, []

    def headers(self, stream: int, fields: Fields, *flags: str) -> HeadersFrame:
        """A frame of headers; END_HEADERS has to be among the flags for it to be a whole."""
        return HeadersFrame(stream, self._encoder.encode(fields), flags=list(flags))

    def answer(self, stream: int, body: bytes = b"ok") -> None:
        self.send(
            self.headers(stream, [(":status", "200")], "END_HEADERS"),
            DataFrame(stream, body, flags=["END_STREAM"]),
        )

    def until_ended(self) -> None:
        while self.frame():
            pass


# What is done to a stream once its request has come.
Misdeed = Callable[[Http2, int], None]


def answering(visit: Visit) -> None:
    """A peer that does everything right."""
    connection = Http2(visit)
    connection.greet()
    while (stream := connection.request()[0]) != 0:
        connection.answer(stream)


def misusing(misdeed: Misdeed, **settings: int) -> Script:
    """A peer that greets, takes a request, and then does something to its stream."""

    def script(visit: Visit) -> None:
        connection = Http2(visit)
        connection.greet(**settings)
        misdeed(connection, connection.request()[0])
        connection.until_ended()

    return script
