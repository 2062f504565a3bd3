"""Sockets that say no, and why.

The host refuses them anyway. Here they get an error that a person can act on,
raised where a script would first touch the network.
"""

import errno
import http.client
import socket
import urllib.error
import urllib.request
from typing import Any, NoReturn

_ENTRY_POINTS = ("getaddrinfo", "gethostbyaddr", "gethostbyname", "gethostbyname_ex", "getnameinfo")


def refuse(*args: Any, **kwargs: Any) -> NoReturn:
    raise PermissionError(errno.EACCES, "this action has no network access")


class _NoHTTPS(http.client.HTTPConnection):
    """The library leaves this class out where there is no ssl module."""

    default_port = 443
    __init__ = refuse


class _HTTPSHandler(urllib.request.BaseHandler):
    """Without it urllib calls https an unknown kind of URL."""

    def __init__(self, **options: Any) -> None:
        pass

    def https_open(self, request: urllib.request.Request) -> NoReturn:
        try:
            refuse()
        except OSError as error:
            raise urllib.error.URLError(error) from None


def install() -> None:
    socket.socket.__init__ = refuse
    for name in _ENTRY_POINTS:
        setattr(socket, name, refuse)
    http.client.HTTPSConnection = _NoHTTPS
    # `build_opener` takes this class into every opener it makes.
    urllib.request.HTTPSHandler = _HTTPSHandler
