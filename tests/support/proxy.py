"""Stands between a server and its PostgreSQL, and takes answers away."""

import contextlib
import socket
import struct
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

CHUNK = 1 << 16
# Closing with this sends a reset.
NO_LINGER = struct.pack("ii", 1, 0)


class Proxy:
    """Passes everything on, but for what the test has it keep."""

    def __init__(self, upstream: Path) -> None:
        self.upstream = upstream
        # Seconds that each answer takes longer.
        self.delay = 0.0
        # Answers that were lost.
        self.cut = 0
        self._to_cut = 0
        self._lock = threading.Lock()
        self._listeners: set[socket.socket] = set()
        self._front = socket.create_server(("127.0.0.1", 0))
        threading.Thread(target=self._accept, daemon=True).start()

    @property
    def port(self) -> int:
        port: int = self._front.getsockname()[1]
        return port

    def lose_an_answer(self) -> None:
        """Whoever is answered next does not hear it: its connection is gone instead. What it
        asked for has been done."""
        with self._lock:
            self._to_cut += 1

    def reset_listeners(self) -> int:
        """Reset the connections that wait for notifications; tells how many."""
        with self._lock:
            listeners, self._listeners = self._listeners, set()
        for client in listeners:
            _reset(client)
        return len(listeners)

    def close(self) -> None:
        self._front.close()

    def _accept(self) -> None:
        with contextlib.suppress(OSError):
            while True:
                client, _ = self._front.accept()
                upstream = socket.socket(socket.AF_UNIX)
                try:
                    upstream.connect(str(self.upstream))
                except OSError:
                    client.close()
                    continue
                for pump in (self._ask, self._answer):
                    threading.Thread(target=pump, args=(client, upstream), daemon=True).start()

    def _ask(self, client: socket.socket, upstream: socket.socket) -> None:
        with contextlib.suppress(OSError):
            while asked := client.recv(CHUNK):
                if b"LISTEN" in asked:
                    with self._lock:
                        self._listeners.add(client)
                upstream.sendall(asked)
        _end(upstream)

    def _answer(self, client: socket.socket, upstream: socket.socket) -> None:
        with contextlib.suppress(OSError):
            while answer := upstream.recv(CHUNK):
                if self._takes(client):
                    _reset(client)
                    break
                time.sleep(self.delay)
                client.sendall(answer)
        _end(client)
        _end(upstream)

    def _takes(self, client: socket.socket) -> bool:
        with self._lock:
            if self._to_cut == 0 or client in self._listeners:
                return False
            self._to_cut -= 1
            self.cut += 1
            return True


def _reset(client: socket.socket) -> None:
    with contextlib.suppress(OSError):
        client.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, NO_LINGER)
        # Wakes whoever reads it; a close alone would not.
        client.shutdown(socket.SHUT_RD)
        client.close()


def _end(connection: socket.socket) -> None:
    with contextlib.suppress(OSError):
        connection.shutdown(socket.SHUT_RDWR)
        connection.close()


@contextmanager
def between(url: str) -> Iterator[tuple[str, Proxy]]:
    """A proxy before the database of a URL as `Cluster` makes them, and its URL."""
    address, _, home = url.partition("?host=")
    proxy = Proxy(Path(home) / ".s.PGSQL.5432")
    try:
        yield address.replace("@localhost:5432", f"@127.0.0.1:{proxy.port}"), proxy
    finally:
        proxy.close()
