"""A web server that costs next to nothing: 1000 bytes for each request.

`/distant` is answered after 10 ms, as by a server that is a few hundred kilometres away.

`/slow` is answered only when as many have asked for it as the second argument says: then all
of them are waiting at once. With a third argument, a file with a key and its certificate, it
speaks TLS.
"""

import asyncio
import ssl
import sys
from typing import ClassVar

ANSWER = b"HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\n" + b"x" * 1000

# Seconds.
DISTANCE = 0.01


class Web(asyncio.Protocol):
    """One connection; requests come one after the other."""

    waiting: ClassVar["list[asyncio.Transport]"] = []
    crowd = 0

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self.transport = transport

    def data_received(self, data: bytes) -> None:
        if data.startswith(b"GET /distant"):
            asyncio.get_running_loop().call_later(DISTANCE, self.transport.write, ANSWER)
            return
        if not data.startswith(b"GET /slow"):
            self.transport.write(ANSWER)
            return
        self.waiting.append(self.transport)
        if len(self.waiting) == self.crowd:
            print("crowded", flush=True)
            sys.stdin.readline()
            for transport in self.waiting:
                transport.write(ANSWER)
            self.waiting.clear()


async def main(crowd: int, *certificate: str) -> None:
    Web.crowd = crowd
    context = None
    if certificate:
        context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
        context.load_cert_chain(certificate[0])
    loop = asyncio.get_running_loop()
    server = await loop.create_server(Web, "127.0.0.1", 0, ssl=context, backlog=1000)
    print(server.sockets[0].getsockname()[1], flush=True)
    await server.serve_forever()


if __name__ == "__main__":
    asyncio.run(main(int(sys.argv[1]), *sys.argv[2:]))
