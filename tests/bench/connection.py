"""HTTP/1.1 by hand over one kept connection.

The client shares two cores with the server it measures, so it has to be light:
a ready-made client costs more than the server does.
"""

import json
import selectors
import socket
import time
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit


@dataclass(frozen=True)
class Answer:
    status: int
    body: bytes

    def data(self) -> dict[str, Any]:
        content: dict[str, Any] = json.loads(self.body)["data"]
        return content


class Connection:
    """One request at a time, over one socket."""

    def __init__(self, url: str) -> None:
        parts = urlsplit(url)
        self._host = parts.netloc
        self.socket = socket.create_connection((parts.hostname, parts.port), timeout=60)
        self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)

    def request(self, method: str, path: str, body: Any = None, **headers: str) -> bytes:
        """The bytes of a request, which may be sent many times."""
        content = b"" if body is None else json.dumps(body).encode()
        lines = [f"{method} {path} HTTP/1.1", f"Host: {self._host}"]
        lines += [f"{name}: {value}" for name, value in headers.items()]
        lines += ["Content-Type: application/json", f"Content-Length: {len(content)}", "", ""]
        return "\r\n".join(lines).encode() + content

    def ask(self, request: bytes) -> Answer:
        self.send(request)
        return self.receive()

    def send(self, request: bytes) -> None:
        self.socket.sendall(request)

    def receive(self) -> Answer:
        received = self._more(b"")
        while (end := received.find(b"\r\n\r\n")) < 0:
            received = self._more(received)
        head = received[:end].lower()
        length = int(head.split(b"content-length:", 1)[1].split(b"\r\n", 1)[0])
        while len(received) < end + 4 + length:
            received = self._more(received)
        return Answer(int(head[9:12]), received[end + 4 :])

    def lines(self, request: bytes) -> Iterator[bytes]:
        """Lines of an answer that has no end of its own; the connection is used up."""
        self.send(request)
        with self.socket, self.socket.makefile("rb") as stream:
            yield from stream

    def _more(self, received: bytes) -> bytes:
        chunk = self.socket.recv(65536)
        if not chunk:
            raise ConnectionError("the server closed the connection")
        return received + chunk


def burst(url: str, request: bytes, total: int, in_flight: int) -> tuple[float, list[Answer]]:
    """Send a request `total` times, so many in flight: the seconds it took, and the answers."""
    selector = selectors.DefaultSelector()
    connections = [Connection(url) for _ in range(in_flight)]
    answers: list[Answer] = []
    start = time.perf_counter()
    for connection in connections:
        selector.register(connection.socket, selectors.EVENT_READ, connection)
        connection.send(request)
    sent = in_flight
    while len(answers) < total:
        for key, _ in selector.select():
            connection = key.data
            answers.append(connection.receive())
            if sent < total:
                connection.send(request)
                sent += 1
    took = time.perf_counter() - start
    for connection in connections:
        connection.socket.close()
    return took, answers
