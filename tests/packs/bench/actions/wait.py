"""So many requests at once, to a server that takes its time."""

import asyncio
import json
import sys

asked = json.load(sys.stdin)


async def ask() -> None:
    reader, writer = await asyncio.open_connection("127.0.0.1", asked["port"])
    writer.write(b"GET /slow HTTP/1.1\r\nHost: 127.0.0.1:%d\r\n\r\n" % asked["port"])
    head = await reader.readuntil(b"\r\n\r\n")
    assert head.startswith(b"HTTP/1.1 200"), head
    await reader.readexactly(1000)
    writer.close()


async def main() -> None:
    await asyncio.gather(*(ask() for _ in range(asked["times"])))


asyncio.run(main())
