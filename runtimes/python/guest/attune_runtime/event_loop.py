"""asyncio where there are neither threads nor sockets to wait for.

What is left to wait for is time: the loop's `select` is a sleep. That serves
tasks, gather, sleep, timeouts, queues, locks and `to_thread` (run inline).
"""

import asyncio
import selectors
import socket
import time
from asyncio import unix_events
from collections.abc import Callable
from typing import Any

from . import refusals


class _Sleeper(selectors._BaseSelectorImpl):
    """A selector with nothing to select from."""

    def select(self, timeout: float | None = None) -> list[Any]:
        if timeout is None:
            raise RuntimeError("deadlock: the event loop waits for what nothing can bring about")
        if timeout > 0:
            time.sleep(timeout)
        return []


class TimerLoop(asyncio.SelectorEventLoop):
    """An event loop driven by the clock alone."""

    def __init__(self) -> None:
        super().__init__(_Sleeper())

    # The self-pipe wakes a loop up from other threads and from signals: there are none.
    def _make_self_pipe(self) -> None:
        self._ssock = self._csock = None

    def _close_self_pipe(self) -> None:
        pass

    def _write_to_self(self) -> None:
        pass

    def run_in_executor(
        self, executor: object, func: Callable[..., Any], *args: Any
    ) -> asyncio.Future[Any]:
        future = self.create_future()
        try:
            future.set_result(func(*args))
        except Exception as error:
            future.set_exception(error)
        return future

    async def shutdown_default_executor(self, timeout: float | None = None) -> None:
        pass

    async def getaddrinfo(self, *args: Any, **kwargs: Any) -> Any:
        return socket.getaddrinfo(*args, **kwargs)

    async def subprocess_exec(self, *args: Any, **kwargs: Any) -> Any:
        refusals.refuse_process()

    async def subprocess_shell(self, *args: Any, **kwargs: Any) -> Any:
        refusals.refuse_process()


def install() -> None:
    """Make it the loop of `asyncio.run` and of everything that asks for a new loop."""
    unix_events._UnixDefaultEventLoopPolicy._loop_factory = TimerLoop
    for module in (asyncio, unix_events):
        module.SelectorEventLoop = module.EventLoop = TimerLoop
