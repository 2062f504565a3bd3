"""What raw sockets can be used for; each attempt answers with what happened."""

import _socket
import json
import sys

params = json.load(sys.stdin)
host, port = params["host"], params["port"]


def connect():
    raw = _socket.socket(_socket.AF_INET, _socket.SOCK_STREAM)
    raw.connect((host, port))
    return "connected"


def connect_ex():
    raw = _socket.socket(_socket.AF_INET, _socket.SOCK_STREAM)
    if code := raw.connect_ex((host, port)):
        raise OSError(code, "connect_ex")
    return "connected"


def listen():
    raw = _socket.socket(_socket.AF_INET, _socket.SOCK_STREAM)
    raw.bind(("127.0.0.1", 0))
    raw.listen()
    return str(raw.getsockname())


def datagram():
    raw = _socket.socket(_socket.AF_INET, _socket.SOCK_DGRAM)
    return str(raw.sendto(b"anybody?", (host, port)))


def datagram_6():
    raw = _socket.socket(_socket.AF_INET6, _socket.SOCK_DGRAM)
    return str(raw.sendto(b"anybody?", ("::1", port)))


def unix():
    raw = _socket.socket(_socket.AF_UNIX, _socket.SOCK_STREAM)
    raw.connect("/tmp/x")
    return "connected"


def raw_ip():
    return str(_socket.socket(_socket.AF_INET, _socket.SOCK_RAW, 1))


def names():
    return str(_socket.getaddrinfo(params["name"], 80))


def attempt(do):
    try:
        return do()
    except BaseException as error:
        return f"refused: {type(error).__name__}: {error}"


attempts = (connect, connect_ex, listen, datagram, datagram_6, unix, raw_ip, names)
print(json.dumps({do.__name__: attempt(do) for do in attempts}))
