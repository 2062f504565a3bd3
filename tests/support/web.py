"""A web server of the test's own: what the clients in an action talk to.

Its paths are named for what they do. It answers CONNECT like a request, so that the runtime can
be tried without a broker.
"""

import base64
import contextlib
import gzip
import json
import socket
import ssl
import threading
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    request_queue_size = 256

    def __init__(self, tls: ssl.SSLContext | None) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.tls = tls
        self.seen: Counter[str] = Counter()
        self.at_once = 0
        self.most_at_once = 0
        self.lock = threading.Lock()

    def finish_request(self, request: Any, client_address: Any) -> None:
        # Here, in the thread of the connection: a handshake must not hold up the others.
        if self.tls:
            request.settimeout(10)
            request = self.tls.wrap_socket(request, server_side=True)
            request.settimeout(None)
        super().finish_request(request, client_address)
        if self.tls:
            request.settimeout(0)
            with contextlib.suppress(OSError):
                request.unwrap()  # TLS has an end of its own.

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Clients hang up, which is part of the tests."""


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server: _Server

    def log_message(self, *args: Any) -> None:
        pass

    def answer(self) -> None:
        url = urlsplit(self.path)
        self.query = {name: values[0] for name, values in parse_qs(url.query).items()}
        name = "connect" if self.command == "CONNECT" else url.path.strip("/").partition("/")[0]
        with self.server.lock:
            self.server.seen[name] += 1
        getattr(self, f"on_{name}", self.on_unknown)()

    def __getattr__(self, name: str) -> Any:
        """`do_GET` and the like, for any method."""
        if name.startswith("do_"):
            return self.answer
        raise AttributeError(name)

    def send(self, body: bytes, status: int = 200, headers: dict[str, str] | None = None) -> None:
        self.send_response(status)
        for name, value in (headers or {}).items():
            self.send_header(name, value)
        self.send_header("content-length", str(len(body)))
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(body)

    def send_json(self, value: Any, status: int = 200, **headers: str) -> None:
        named = {name.replace("_", "-"): text for name, text in headers.items()}
        self.send(json.dumps(value).encode(), status, {"content-type": "application/json"} | named)

    def body(self) -> bytes:
        if "chunked" not in self.headers.get("transfer-encoding", ""):
            return self.rfile.read(int(self.headers.get("content-length", 0)))
        data = b""
        while size := int(self.rfile.readline(), 16):
            data += self.rfile.read(size)
            self.rfile.readline()
        self.rfile.readline()
        return data

    def on_unknown(self) -> None:
        self.body()
        self.send_json({"error": "not found"}, 404)

    def on_connect(self) -> None:
        self.send(b"")

    def on_echo(self) -> None:
        """What was sent."""
        body = self.body()
        value = {
            "method": self.command,
            "path": self.path,
            "headers": {name.lower(): text for name, text in self.headers.items()},
            "length": len(body),
            "body": body[:2000].decode("latin-1"),
        }
        self.send_json(value, x_method=self.command)

    def on_status(self) -> None:
        self.body()
        status = int(self.path.rpartition("/")[2])
        if status in (204, 304):
            self.send_response(status)
            self.end_headers()
        else:
            self.send(b"status", status)

    def on_redirect(self) -> None:
        """Sets a cookie and sends the client to `/cookies`."""
        headers = {"location": "/cookies", "set-cookie": "flavour=vanilla; Path=/"}
        self.send(b"", 302, headers)

    def on_cookies(self) -> None:
        self.send_json({"cookie": self.headers.get("cookie")})

    def on_gzip(self) -> None:
        body = gzip.compress(b'{"packed": true}')
        self.send(body, headers={"content-encoding": "gzip", "content-type": "application/json"})

    def on_basic(self) -> None:
        """Wants user and password."""
        wanted = "Basic " + base64.b64encode(b"user:secret").decode()
        if self.headers.get("authorization") == wanted:
            self.send_json({"authenticated": True})
        else:
            self.send_json({}, 401, www_authenticate='Basic realm="test"')

    def on_bytes(self) -> None:
        """So many bytes, in a body whose length is told."""
        self.send(bytes(range(256)) * (int(self.query["count"]) // 256))

    def on_chunks(self) -> None:
        """So many chunks, with a pause before each."""
        self.send_response(200)
        self.send_header("transfer-encoding", "chunked")
        self.end_headers()
        for number in range(int(self.query["count"])):
            time.sleep(float(self.query.get("pause", 0)))
            self.chunk(f"chunk {number}\n".encode())
        self.chunk(b"")

    def chunk(self, data: bytes) -> None:
        self.wfile.write(b"%x\r\n%b\r\n" % (len(data), data))
        self.wfile.flush()

    def on_slow(self) -> None:
        """Answers after a while."""
        self.body()
        with self.server.lock:
            self.server.at_once += 1
            self.server.most_at_once = max(self.server.most_at_once, self.server.at_once)
        time.sleep(float(self.query["seconds"]))
        with self.server.lock:
            self.server.at_once -= 1
        self.send_json({"slow": True})

    def on_silent(self) -> None:
        """A head and half a body, and then nothing."""
        self.send_response(200)
        self.send_header("content-length", "100")
        self.end_headers()
        self.wfile.write(b"x" * 50)
        self.wfile.flush()
        time.sleep(30)

    def on_cut(self) -> None:
        """A head and half a body, and then the end."""
        self.send_response(200)
        self.send_header("content-length", "100")
        self.end_headers()
        self.wfile.write(b"x" * 50)
        self.close_connection = True

    def on_cutchunk(self) -> None:
        self.send_response(200)
        self.send_header("transfer-encoding", "chunked")
        self.end_headers()
        self.chunk(b"x" * 50)
        self.close_connection = True

    def on_hangup(self) -> None:
        """No answer at all."""
        self.close_connection = True
        self.connection.shutdown(socket.SHUT_RDWR)

    def on_until_close(self) -> None:
        """A body that the end of the connection ends."""
        self.send_response(200)
        self.send_header("connection", "close")
        self.end_headers()
        self.wfile.write(b"until the end")
        self.close_connection = True

    def on_early(self) -> None:
        """Answers without reading the body."""
        self.close_connection = True
        self.send(b"too large", 413, {"connection": "close"})
        # Closed with something unread, a connection takes the answer away with it.
        while self.rfile.read1(1 << 16):
            pass


class Web:
    """The server, and what it has seen."""

    def __init__(self, server: _Server) -> None:
        self._server = server
        self.port: int = server.server_address[1]
        self.scheme = "https" if server.tls else "http"
        self.url = f"{self.scheme}://127.0.0.1:{self.port}"

    @property
    def seen(self) -> Counter[str]:
        return self._server.seen

    @property
    def most_at_once(self) -> int:
        return self._server.most_at_once


@contextmanager
def web(certificate: Path | None = None) -> Iterator[Web]:
    """A server on a free port; over TLS if there is a certificate (with its key) for it."""
    tls = None
    if certificate:
        tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        tls.load_cert_chain(certificate)
    server = _Server(tls)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05})
    thread.start()
    try:
        yield Web(server)
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
