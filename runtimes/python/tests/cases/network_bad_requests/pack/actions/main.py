"""What is no request of HTTP/1.1 to the peer of its connection is an error, and is never sent."""

import socket

from fake_host import host

HOST = b"Host: example.com\r\n"
REQUESTS = {
    "smtp": b"EHLO example.com\r\n",
    "redis": b"*1\r\n$4\r\nPING\r\n",
    "ssh": b"SSH-2.0-x\r\n",
    "http/2": b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
    "tls": b"\x16\x03\x01\x02\x00\x01\x00",
    "a false handshake": b"\x16attune-tls 12345\n",
    "binary": b"\x00\x01",
    "no version": b"GET /\r\n\r\n",
    "no target": b"GET x HTTP/1.1\r\n" + HOST + b"\r\n",
    "a space in the target": b"GET /a b HTTP/1.1\r\n" + HOST + b"\r\n",
    "two lengths": b"POST / HTTP/1.1\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\n",
    "no length": b"POST / HTTP/1.1\r\nContent-Length: -1\r\n\r\n",
    "both": b"POST / HTTP/1.1\r\nContent-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n",
    "an unknown coding": b"POST / HTTP/1.1\r\nTransfer-Encoding: gzip, chunked\r\n\r\n",
    "a bare line feed": b"GET / HTTP/1.1\r\nX: a\nY: b\r\n\r\n",
    "a bare return": b"GET / HTTP/1.1\r\nX: a\rY: b\r\n\r\n",
    "a null byte": b"GET / HTTP/1.1\r\nX: a\x00\r\n\r\n",
    "a folded field": b"GET / HTTP/1.1\r\nX: a\r\n b\r\n\r\n",
    "a space in a name": b"GET / HTTP/1.1\r\nX : a\r\n\r\n",
    "another host": b"GET / HTTP/1.1\r\nHost: example.org\r\n\r\n",
    "another port": b"GET / HTTP/1.1\r\nHost: example.com:8080\r\n\r\n",
    "two hosts": b"GET / HTTP/1.1\r\n" + HOST + HOST + b"\r\n",
    "a proxy": b"GET http://example.org/ HTTP/1.1\r\n" + HOST + b"\r\n",
    "another scheme": b"GET https://example.com/ HTTP/1.1\r\n" + HOST + b"\r\n",
    "a tunnel": b"CONNECT example.com:443 HTTP/1.1\r\n" + HOST + b"\r\n",
    "a websocket": b"GET / HTTP/1.1\r\n"
    + HOST
    + b"Upgrade: websocket\r\nConnection: upgrade\r\n\r\n",
    "a long field": b"GET / HTTP/1.1\r\nCookie: " + b"x" * 130_000 + b"\r\n\r\n",
    "many fields": b"GET / HTTP/1.1\r\n" + b"X: y\r\n" * 2_000 + b"\r\n",
    "a long head": b"GET / HTTP/1.1\r\n" + b"X: y\r\n" * 50_000,
}

for name, request in REQUESTS.items():
    sock = socket.create_connection(("example.com", 80))
    try:
        sock.sendall(request)
        print(name, "is sent", sock.recv(100))
    except OSError as error:
        print(name, type(error).__name__, error)
print(len(host.requests), "sent")

CHUNKED = b"POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n"
for data in (b"x\r\n", b"\r\n", b"2\r\nabc\r\n", b"2\nab\r\n", b"-1\r\n", b"1" * 10_000):
    sock = socket.create_connection(("example.com", 80))
    try:
        sock.sendall(CHUNKED + data)
        print(data, "is sent")
    except OSError as error:
        print(data[:10], error)
print([request.finished_at for request in host.requests])

print("pipelined")
sock = socket.create_connection(("example.com", 80))
host.answer = lambda request: __import__("fake_host").Answer(after=1.0)
try:
    sock.sendall(b"GET / HTTP/1.1\r\n\r\nGET / HTTP/1.1\r\n\r\n")
except OSError as error:
    print(error)
print("the client waits for the server to speak")
sock = socket.create_connection(("example.com", 25))
try:
    print(sock.recv(100))
except OSError as error:
    print(error)
