"""A server that does to its clients whatever a test has it do, byte by byte."""

import contextlib
import socket
import ssl
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Self

from support.wait import wait_until

CHUNK = 1 << 16
# The one network that is not public and that the servers of these tests may reach, and one that
# they may not. Both are the machine itself.
ALLOWED = "127.0.0.2"
PRIVATE = "127.0.0.3"
# Nobody holds a connection for longer, whatever went wrong in a test.
LONGEST = 30

OK = b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok"


@dataclass(frozen=True)
class Head:
    """A request's line and fields, exactly as they came."""

    line: str
    fields: list[tuple[str, str]]

    def all(self, name: str) -> list[str]:
        return [value for key, value in self.fields if key.lower() == name.lower()]

    def names(self) -> set[str]:
        return {key.lower() for key, _ in self.fields}


class Visit:
    """One connection: what came over it, and what the test sends."""

    def __init__(self, connection: socket.socket) -> None:
        self.connection = connection
        # Everything that came, in order.
        self.received = b""
        # The heads of all requests that were read.
        self.heads: list[Head] = []
        # The other side closed or reset it, or the test is over.
        self.ended = threading.Event()
        self._read = 0

    def send(self, *parts: bytes) -> None:
        for part in parts:
            self.connection.sendall(part)

    def more(self) -> bool:
        """Wait for bytes; false once there are no more."""
        try:
            part = self.connection.recv(CHUNK)
        except OSError:
            part = b""
        self.received += part
        if not part:
            self.ended.set()
        return bool(part)

    def exactly(self, count: int) -> bytes:
        """The next bytes; fewer if no more come."""
        while len(self.received) - self._read < count and self.more():
            pass
        return self._take(self._read + count)

    def through(self, mark: bytes) -> bytes:
        """The next bytes, to this mark and with it."""
        while (found := self.received.find(mark, self._read)) < 0:
            if not self.more():
                return self._take(len(self.received))
        return self._take(found + len(mark))

    def _take(self, end: int) -> bytes:
        taken = self.received[self._read : end]
        self._read += len(taken)
        return taken

    def head(self) -> Head:
        """The next request's head."""
        line, *fields = self.through(b"\r\n\r\n").decode("latin-1").split("\r\n")
        pairs = [field.partition(":") for field in fields if field]
        head = Head(line, [(name, value.strip(" \t")) for name, _, value in pairs])
        if line:
            self.heads.append(head)
        return head

    def request(self) -> tuple[Head, bytes]:
        """The next request, with its body."""
        head = self.head()
        if "chunked" in head.all("transfer-encoding"):
            return head, b"".join(self._chunks())
        return head, self.exactly(sum(map(int, head.all("content-length"))))

    def _chunks(self) -> Iterator[bytes]:
        while size := int(self.through(b"\r\n").split(b";")[0] or b"0", 16):
            yield self.exactly(size)
            self.through(b"\r\n")
        while self.through(b"\r\n") not in (b"\r\n", b""):
            pass

    def until_ended(self) -> None:
        """Read on until the other side ends the connection."""
        while self.more():
            pass


Script = Callable[[Visit], None]


class Peer:
    """Listens, and has each connection served by a script in a thread of its own."""

    def __init__(
        self, script: Script, host: str = ALLOWED, tls: ssl.SSLContext | None = None, port: int = 0
    ) -> None:
        self.host = host
        self.visits: list[Visit] = []
        self._script = script
        self._tls = tls
        family = socket.AF_INET6 if ":" in host else socket.AF_INET
        self._listener = socket.create_server((host, port), family=family, backlog=512)
        self.port: int = self._listener.getsockname()[1]
        threading.Thread(target=self._accept, daemon=True).start()

    def url(self, path: str = "/", host: str = "") -> str:
        return f"{'https' if self._tls else 'http'}://{host or self.host}:{self.port}{path}"

    @property
    def received(self) -> bytes:
        """What came over all connections."""
        return b"".join(visit.received for visit in self.visits)

    @property
    def heads(self) -> list[Head]:
        """Of all requests, on all connections."""
        return [head for visit in self.visits for head in visit.heads]

    def wait_for(self, visits: int) -> None:
        wait_until(lambda: len(self.visits) >= visits, what=f"{visits} connections")

    def wait_until_left(self) -> None:
        """Until every connection was ended by the other side."""
        wait_until(lambda: all(visit.ended.is_set() for visit in self.visits), what="the ends")

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        _shut(self._listener)
        for visit in self.visits:
            _shut(visit.connection)

    def _accept(self) -> None:
        with contextlib.suppress(OSError):
            while True:
                connection, _ = self._listener.accept()
                connection.settimeout(LONGEST)
                visit = Visit(connection)
                self.visits.append(visit)
                threading.Thread(target=self._serve, args=(visit,), daemon=True).start()

    def _serve(self, visit: Visit) -> None:
        # A client that has gone is no failure of the script's.
        with contextlib.suppress(OSError):
            if self._tls:
                visit.connection = self._tls.wrap_socket(visit.connection, server_side=True)
            self._script(visit)
        visit.ended.set()
        _shut(visit.connection)


def _shut(connection: socket.socket) -> None:
    with contextlib.suppress(OSError):
        connection.shutdown(socket.SHUT_RDWR)
    connection.close()


# Scripts that many tests need.


def answering(*parts: bytes) -> Script:
    """Every request is answered with these bytes; the connection stays."""

    def script(visit: Visit) -> None:
        while visit.request()[0].line:
            visit.send(*parts)

    return script


def answering_once(*parts: bytes) -> Script:
    """One request is answered with these bytes, and then the connection closed."""

    def script(visit: Visit) -> None:
        visit.request()
        visit.send(*parts)

    return script


def then_silent(*parts: bytes) -> Script:
    """One request is answered with these bytes, and then nothing happens."""

    def script(visit: Visit) -> None:
        visit.request()
        visit.send(*parts)
        visit.until_ended()

    return script


def flooding(first: bytes, again: bytes) -> Script:
    """One request is answered without an end."""

    def script(visit: Visit) -> None:
        visit.request()
        visit.send(first)
        while True:
            visit.send(again)

    return script


def redirecting(location: str) -> Script:
    return answering(
        f"HTTP/1.1 302 Found\r\nlocation: {location}\r\ncontent-length: 0\r\n\r\n".encode()
    )
