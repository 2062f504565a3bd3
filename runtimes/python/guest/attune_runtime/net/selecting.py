"""`select` and selectors over connections, for clients and for the event loop."""

import errno
import select
import selectors
from collections.abc import Iterable, Mapping
from typing import Any

from . import descriptors
from .connection import READ, WRITE, Connection
from .waiting import Deadline, wait

_DEADLOCK = "deadlock: the event loop waits for what nothing can bring about"


def ready(wanted: Mapping[int, int], timeout: float | None) -> dict[int, int]:
    """The descriptors for which one of the wanted events has come, and those events.

    Descriptors of files are ready always, as on any system; so are numbers that are none.
    """
    deadline = Deadline(timeout)
    while not (found := _ready_now(wanted)):
        pollables = [pollable for one in _waiting(wanted) for pollable in one]
        remaining = deadline.remaining()
        if pollables or remaining is not None:
            if not wait(pollables, remaining):
                return _ready_now(wanted) if pollables else {}
        elif not _expire(wanted):
            raise RuntimeError(_DEADLOCK)
    return found


def _ready_now(wanted: Mapping[int, int]) -> dict[int, int]:
    found = {}
    for descriptor, events in wanted.items():
        connection = descriptors.find(descriptor)
        if connection is None:
            found[descriptor] = events
        elif came := _events_of(connection, events):
            found[descriptor] = came
    return found


def _events_of(connection: Connection, events: int) -> int:
    return sum(event for event in (READ, WRITE) if events & event and connection.is_ready(event))


def _waiting(wanted: Mapping[int, int]) -> Iterable[list[Any]]:
    for descriptor, events in wanted.items():
        if connection := descriptors.find(descriptor):
            for event in (READ, WRITE):
                if events & event:
                    yield connection.pollables(event)


def _expire(wanted: Mapping[int, int]) -> bool:
    """Nothing else can happen, so idle connections end; whether there are any."""
    idle = [connection for number in wanted if (connection := descriptors.find(number))]
    for connection in idle:
        connection.expire()
    return bool(idle)


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
