"""The C module below the standard library's stand-in has no network either."""

import _socket

found = []
for kind in (_socket.SOCK_STREAM, _socket.SOCK_DGRAM):
    for address in (("127.0.0.1", 22), ("1.1.1.1", 53)):
        try:
            socket = _socket.socket(_socket.AF_INET, kind)
            socket.connect(address)
            found.append(("connect", kind, address))
        except OSError:
            pass
    try:
        socket = _socket.socket(_socket.AF_INET, kind)
        socket.bind(("127.0.0.1", 0))
        found.append(("bind", kind))
    except OSError:
        pass
for name in ("localhost", "example.com"):
    try:
        found.append(_socket.getaddrinfo(name, 80))
    except OSError:
        pass
print(found or "no network")
