"""Waiting: for what the host may bring, and for the clock."""

import time
from collections.abc import Sequence

from wit_world.imports import monotonic_clock
from wit_world.imports.poll import Pollable, poll

_LONGEST = 1 << 62  # ns; what a script may well ask for as "for ever"


class Deadline:
    """The end of one operation on a socket that has a timeout."""

    def __init__(self, timeout: float | None) -> None:
        self._end = None if timeout is None else time.monotonic() + timeout

    def remaining(self) -> float | None:
        return None if self._end is None else max(0.0, self._end - time.monotonic())

    def wait(self, pollables: Sequence[Pollable], message: str = "timed out") -> None:
        if not ready(pollables, self.remaining()):
            raise TimeoutError(message)


def ready(pollables: Sequence[Pollable], timeout: float | None) -> list[int]:
    """The places of those that became ready in time."""
    if timeout is None:
        if len(pollables) == 1:
            pollables[0].block()
            return [0]
        return poll(list(pollables))
    if not pollables:
        time.sleep(timeout)
        return []
    nanoseconds = min(int(timeout * 1e9), _LONGEST)
    with monotonic_clock.subscribe_duration(nanoseconds) as alarm:
        places = poll([*pollables, alarm])
    return [place for place in places if place < len(pollables)]
