"""A server that does nothing but spawn `python3 -c pass` for each request.

As light as a server in Python can be: no pipes, no framework, the end of each
child from its pidfd.
"""

import asyncio
import os
import sys

ANSWER = b"HTTP/1.1 201 Created\r\nContent-Length: 2\r\n\r\n{}"


class Spawning(asyncio.Protocol):
    """One connection; requests come one after the other."""

    python = ""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self.transport = transport

    def data_received(self, data: bytes) -> None:
        assert data.startswith(b"POST"), "small requests come in one piece"
        child = os.posix_spawn(self.python, [self.python, "-c", "pass"], os.environ)
        handle = os.pidfd_open(child)
        asyncio.get_running_loop().add_reader(handle, self.ended, child, handle)

    def ended(self, child: int, handle: int) -> None:
        asyncio.get_running_loop().remove_reader(handle)
        os.close(handle)
        os.waitpid(child, 0)
        self.transport.write(ANSWER)


async def main(python: str) -> None:
    Spawning.python = python
    server = await asyncio.get_running_loop().create_server(Spawning, "127.0.0.1", 0)
    host, port = server.sockets[0].getsockname()
    print(f"http://{host}:{port}", flush=True)
    await server.serve_forever()


if __name__ == "__main__":
    asyncio.run(main(sys.argv[1]))
