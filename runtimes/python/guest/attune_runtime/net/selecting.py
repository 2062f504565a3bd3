"""`select` and selectors over connections, for clients and for the event loop."""

import errno
import select
import selectors
from collections.abc import Iterable, Mapping
from typing import Any

from wit_world.imports.poll import Pollable

from . import descriptors, waiting
from .connection import READ, WRITE, Connection
from .waiting import Deadline

# Something to wait for, and which event of which connection it may bring.
Awaited = tuple[Pollable, Connection, int]


def ready(wanted: Mapping[int, int], timeout: float | None) -> dict[int, int]:
    """The descriptors for which one of the wanted events has come, and those events.

    Descriptors of files are ready always, as on any system; so are numbers that are none.
    """
    deadline = Deadline(timeout)
    while True:
        found, awaited = _sorted(wanted)
        remaining = 0.0 if found else deadline.remaining()
        if awaited or remaining:
            _wait(awaited, remaining, found)
        elif remaining is None:
            _expire(wanted)
        if found or deadline.remaining() == 0.0:
            return found


def _sorted(wanted: Mapping[int, int]) -> tuple[dict[int, int], list[Awaited]]:
    """What has come already, and what the host has to be asked for."""
    found: dict[int, int] = {}
    awaited: list[Awaited] = []
    for descriptor, events in wanted.items():
        connection = descriptors.find(descriptor)
        if connection is None:
            found[descriptor] = events
            continue
        for event in (READ, WRITE):
            if not events & event:
                continue
            if connection.is_settled(event):
                found[descriptor] = found.get(descriptor, 0) | event
            else:
                awaited += [(one, connection, event) for one in connection.pollables(event)]
    return found, awaited


def _wait(awaited: list[Awaited], timeout: float | None, found: dict[int, int]) -> None:
    """Ask the host once for all of them: there may be a hundred, and each call has a price."""
    for place in waiting.ready([pollable for pollable, _, _ in awaited], timeout):
        _, connection, event = awaited[place]
        if connection.is_ready(event):
            number = connection.descriptor
            found[number] = found.get(number, 0) | event


def _expire(wanted: Mapping[int, int]) -> None:
    """Nothing else can happen, so idle connections end."""
    idle = [connection for number in wanted if (connection := descriptors.find(number))]
    if not idle:
        raise RuntimeError("deadlock: the event loop waits for what nothing can bring about")
    for connection in idle:
        connection.expire()


class Selector(selectors._BaseSelectorImpl):
    """The one selector there is."""

    def select(self, timeout: float | None = None) -> list[tuple[selectors.SelectorKey, int]]:
        wanted = {descriptor: key.events for descriptor, key in self._fd_to_key.items()}
        if timeout is not None:
            timeout = max(timeout, 0.0)
        found = ready(wanted, timeout)
        return [(self._fd_to_key[descriptor], events) for descriptor, events in found.items()]


def _select(
    rlist: Iterable[Any], wlist: Iterable[Any], xlist: Iterable[Any], timeout: float | None = None
) -> tuple[list[Any], list[Any], list[Any]]:
    """`select.select`"""
    readers, writers = list(rlist), list(wlist)
    if timeout is not None and timeout < 0:
        raise ValueError("timeout must be non-negative")
    wanted: dict[int, int] = {}
    for sources, event in ((readers, READ), (writers, WRITE)):
        for source in sources:
            number = _number_of(source)
            wanted[number] = wanted.get(number, 0) | event
    found = ready(wanted, timeout)
    return (
        [source for source in readers if found.get(_number_of(source), 0) & READ],
        [source for source in writers if found.get(_number_of(source), 0) & WRITE],
        [],
    )


def _number_of(source: Any) -> int:
    number = source if isinstance(source, int) else source.fileno()
    if number < 0 or (descriptors.is_ours(number) and descriptors.find(number) is None):
        if number < 0:
            raise ValueError(f"file descriptor cannot be a negative integer ({number})")
        raise OSError(errno.EBADF, "Bad file descriptor")
    return int(number)


def install() -> None:
    select.select = _select
    # Clients prefer `poll` where there is one.
    if hasattr(select, "poll"):
        del select.poll
    selectors.DefaultSelector = selectors.SelectSelector = Selector
    if hasattr(selectors, "PollSelector"):
        del selectors.PollSelector
