"""A timeout is that of one operation on a socket, and none of them loses the instance."""

import select
import socket
import ssl
import urllib.request

from fake_host import Answer, attempts, host

REQUEST = b"GET / HTTP/1.1\r\n\r\n"
BODY = [b"first ", 3.0, b"second"]

host.connect = lambda request: Answer(after=2.0)
host.answer = lambda request: Answer(fields={"content-length": "12"}, body=BODY, after=4.0)


def connected(timeout=None):
    host.now += 0.001  # Hours must not matter.
    sock = socket.create_connection(("example.com", 80))
    sock.settimeout(timeout)
    return sock


def connect_in_time():
    return socket.create_connection(("example.com", 80), timeout=2.5).gettimeout()


def connect_too_late():
    socket.create_connection(("example.com", 80), timeout=1.5)


def handshake_too_late():
    ssl.create_default_context().wrap_socket(connected(1), server_hostname="example.com")


def read_in_time():
    sock = connected(4.5)
    sock.sendall(REQUEST)
    return sock.recv(1000)[-20:], sock.recv(1000)[-20:], sock.recv(1000)


def head_too_late():
    sock = connected(3.5)
    sock.sendall(REQUEST)
    sock.recv(1000)


def again_with_more_time():
    sock = connected(3.5)
    sock.sendall(REQUEST)
    try:
        sock.recv(1000)
    except TimeoutError:
        sock.settimeout(1)
    return sock.recv(1000)[:15]


def body_too_late():
    sock = connected(4.5)
    sock.sendall(REQUEST)
    sock.settimeout(5)
    sock.recv(1000)
    sock.settimeout(1)
    while True:
        sock.recv(1000)


def write_too_late():
    host.room, host.pause = 100, 0.5
    sock = connected(2)
    sock.sendall(b"PUT / HTTP/1.1\r\nContent-Length: 1000\r\n\r\n" + b"x" * 1000)


def in_a_client():
    host.room, host.pause = 1 << 20, 0.0
    urllib.request.urlopen("http://example.com/", timeout=3)


def without_blocking():
    sock = socket.socket()
    sock.setblocking(False)
    steps = [sock.connect_ex(("example.com", 80)) != 0]
    steps.append(select.select([], [sock], [], 1)[1] == [])
    steps.append(select.select([], [sock], [], 5)[1] == [sock])
    steps.append(sock.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR) == 0)
    sock.sendall(REQUEST)
    try:
        sock.recv(1)
    except BlockingIOError:
        steps.append(select.select([sock], [], [], None)[0] == [sock])
    steps.append(sock.recv(8, socket.MSG_PEEK) == sock.recv(8))
    return steps


def idle():
    sock = connected(5)
    sock.sendall(REQUEST)
    while not sock.recv(1000).endswith(b"second"):
        pass
    return select.select([sock], [sock], [], 0) == ([], [sock], []), sock.recv(10)


for line in attempts(
    *(connect_in_time, connect_too_late, handshake_too_late, read_in_time, head_too_late),
    *(again_with_more_time, body_too_late, write_too_late, in_a_client, without_blocking, idle),
):
    print(line)
print(len(host.handles), "handles")
