"""asyncio where there are no threads: what is left to wait for is time, and the network.

That serves tasks, gather, sleep, timeouts, queues, locks, `to_thread` (run inline),
connections and TLS.
"""

import asyncio
import socket
from asyncio import unix_events
from collections.abc import Callable
from typing import Any

from . import refusals
from .net.selecting import Selector
from .net.sockets import Address


class EventLoop(asyncio.SelectorEventLoop):
    """An event loop driven by the clock and by what the host brings."""

    def __init__(self) -> None:
        super().__init__(Selector())

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

    def _sock_connect_cb(
        self, fut: asyncio.Future[None], sock: socket.socket, address: Address
    ) -> None:
        """As the library's, which keeps only the number of an error: not its class, nor why."""
        if fut.done():
            return
        try:
            if sock._connection.opened():
                fut.set_result(None)
        except OSError as error:
            fut.set_exception(error)

    async def subprocess_exec(self, *args: Any, **kwargs: Any) -> Any:
        refusals.refuse_process()

    async def subprocess_shell(self, *args: Any, **kwargs: Any) -> Any:
        refusals.refuse_process()


def install() -> None:
    """Make it the loop of `asyncio.run` and of everything that asks for a new loop."""
    unix_events._UnixDefaultEventLoopPolicy._loop_factory = EventLoop
    for module in (asyncio, unix_events):
        module.SelectorEventLoop = module.EventLoop = EventLoop
