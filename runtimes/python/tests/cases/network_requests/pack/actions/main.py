"""Requests reach the host as the client meant them, and responses the client, on one connection."""

import http.client
import socket

from fake_host import Answer, host


def show(request):
    fields = ", ".join(f"{name}={value.decode('latin-1')}" for name, value in request.fields)
    body = f"{request.body[:20]!r}…{len(request.body)}" if request.body else ""
    print(" ", request.method, request.scheme, request.authority, request.path, fields, body)


def answer(request):
    path = request.path.partition("?")[0]
    return {
        "/told": Answer(fields={"content-length": "5"}, body=[b"he", b"llo"]),
        "/untold": Answer(fields={"set-cookie": "a=b", "connection": "x"}, body=[b"he", b"llo"]),
        "/none": Answer(204),
        "/empty": Answer(404, {"content-length": "0"}),
        "/early": Answer(413, {"content-length": "1"}, [b"!"], waits=False),
    }[path]


host.answer = answer

print("one connection, many requests")
client = http.client.HTTPConnection("example.com")
for method, path, body, headers in (
    ("GET", "/told?a=%20b", None, {"X-Name": "ü"}),
    ("HEAD", "/told", None, {"Keep-Alive": "5", "attune-insecure-tls": "true", "TE": "trailers"}),
    ("POST", "/untold", b"body", {}),
    ("PUT", "/none", iter([b"a" * 10, b"b" * 20]), {}),
    ("DELETE", "/empty", None, {}),
    ("PURGE", "/untold", None, {}),
    ("GET", "http://EXAMPLE.com:80/told", None, {}),
    ("GET", "http://example.com/told", None, {"Connection": "close"}),
):
    client.request(method, path, body, headers)
    response = client.getresponse()
    print(response.status, response.reason, response.read(), response.getheaders())
    show(host.requests[-1])
print(len(host.seen) - len(host.requests), "connections")


def talk(*written, address=("::1", 8080)):
    with socket.create_connection(address) as sock:
        for data in written:
            sock.sendall(data)
        data = b""
        while piece := sock.recv(3):
            data += piece
    print(data)
    show(host.requests[-1])


print("byte by byte, in chunks, with trailers")
upload = (
    b"POST /told HTTP/1.1\r\nHost: [::1]:8080\r\nTransfer-Encoding: chunked\r\n\r\n"
    b"5;x=y\r\nhello\r\nA\r\n0123456789\r\n0\r\nTrailer: x\r\n\r\n"
)
talk(*(upload[i : i + 1] for i in range(len(upload))))
print("an old client")
talk(b"GET /untold HTTP/1.0\r\n\r\n")
print("a client that asks first")
talk(
    b"POST /told HTTP/1.1\r\nHost: [::1]:8080\r\nContent-Length: 3\r\nExpect: 100-continue\r\n\r\n",
    b"abc",
)
print("an answer before the end of the body")
talk(b"POST /early HTTP/1.1\r\nHost: [::1]:8080\r\nContent-Length: 3\r\n\r\n", b"a")
print("a server that answers and reads no further")
host.room, host.pause = 100, 1e9
upload = b"PUT /early HTTP/1.1\r\nHost: [::1]:8080\r\nContent-Length: 5000\r\n\r\n" + b"x" * 5000
talk(upload[:500], upload[500:])
print("a slow host")
host.room, host.pause = 100, 0.5
talk(b"PUT /told HTTP/1.1\r\nHost: [::1]:8080\r\nContent-Length: 1000\r\n\r\n" + b"x" * 1000)
print(f"{host.now:.2f} s, {len(host.handles)} handles")
