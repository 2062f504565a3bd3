"""The network, as Python knows it, over what the host offers: HTTP and HTTPS exchanges.

The library's `socket.py` and `ssl.py` stay as they are, and so do all clients above them. What
is replaced is what they have in C. A client writes HTTP/1.1 into a socket; here it is read,
handed to the host as a request, and the response is written back as HTTP/1.1.

    sockets.py      for `_socket`: the class below `socket.socket`
    resolver.py     names
    descriptors.py  numbers for connections
    openssl.py      for `_ssl`, with tls_{context,object,errors,constants}.py
    handshake.py    how TLS is asked for
    connection.py   one connection: bytes to exchanges and back
    http1.py        heads of requests and responses
    framing.py      bodies
    exchange.py     one exchange through wasi:http
    handles.py      which of the host's handles are dropped, in which order
    finalizers.py   what those handles have in the place of `weakref.finalize`
    errors.py       the host's errors as exceptions
    waiting.py      pollables and the clock
    selecting.py    `select` and selectors

The host checks everything, so nothing here is a wall: it says early what will not work, and why.
"""

from . import finalizers, handles, handshake, openssl, selecting, sockets


def install() -> None:
    """Must come before anything imports `socket`, `ssl` or `select`."""
    sockets.install()
    openssl.install()
    selecting.install()


def seal() -> None:
    """Must come after all imports of a build."""
    finalizers.install()


def forget() -> None:
    """Leave nothing of a prime."""
    handles.drop_everything()
    handshake.forget()
    sockets.forget()
