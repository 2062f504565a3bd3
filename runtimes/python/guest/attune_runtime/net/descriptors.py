"""Numbers for connections, in the place of file descriptors.

They are larger than any descriptor of a file can be, so that `select` and event loops can tell
them apart, and everything else refuses them.
"""

import itertools
import weakref
from collections.abc import Iterator
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from .connection import Connection

_FIRST = 1_000_000

_numbers: Iterator[int] = itertools.count(_FIRST)
_connections: "weakref.WeakValueDictionary[int, Connection]" = weakref.WeakValueDictionary()
# Connections that were taken from their last socket (`detach`), for one that is yet to be made.
_detached: "dict[int, Connection]" = {}


def add(connection: "Connection") -> int:
    number = next(_numbers)
    _connections[number] = connection
    return number


def is_ours(number: int) -> bool:
    return number >= _FIRST


def find(number: int) -> "Connection | None":
    return _connections.get(number)


def remove(number: int) -> None:
    _connections.pop(number, None)
    _detached.pop(number, None)


def detach(number: int) -> None:
    connection = _connections[number]
    connection.sockets -= 1
    # `ssl.SSLSocket` takes a connection over before it is taken from the socket that had it.
    if connection.sockets == 0:
        _detached[number] = connection


def attach(number: int) -> "Connection | None":
    connection = _connections.get(number)
    if connection is not None:
        connection.sockets += 1
        _detached.pop(number, None)
    return connection


def forget() -> None:
    """Start anew, for the run that follows a prime."""
    global _numbers
    if _connections or _detached:
        _connections.clear()
        _detached.clear()
    _numbers = itertools.count(_FIRST)
