"""Connections of asyncio wait side by side, and an end that nobody would bring comes by itself."""

import asyncio
import gc

from fake_host import Answer, attempts, host
from wit_world.imports import types

REQUEST = b"GET / HTTP/1.1\r\n\r\n"

host.connect = lambda request: Answer(after=1.0)
host.answer = lambda request: Answer(body=[b"begin ", 2.0, b"end"], after=3.0)


async def fetch(request=b"GET / HTTP/1.1\r\nConnection: close\r\n\r\n"):
    reader, writer = await asyncio.open_connection("example.com", 80)
    writer.write(request)
    data = await reader.read()
    writer.close()
    return data.rpartition(b"\r\n\r\n")[0][-30:]


def one():
    return asyncio.run(fetch())


def hundred():
    async def run():
        return len(await asyncio.gather(*[fetch() for _ in range(100)]))

    return asyncio.run(run())


def beside_a_clock():
    async def run():
        ticks = 0
        task = asyncio.create_task(fetch())
        while not task.done():
            await asyncio.sleep(0.5)
            ticks += 1
        return ticks

    return asyncio.run(run())


def timeout():
    async def run():
        async with asyncio.timeout(2.5):
            await fetch()

    asyncio.run(run())


def cancelled():
    async def run():
        tasks = [asyncio.create_task(fetch()) for _ in range(10)]
        await asyncio.sleep(4.5)
        for task in tasks:
            task.cancel()
        return {type(end).__name__ for end in await asyncio.gather(*tasks, return_exceptions=True)}

    return asyncio.run(run())


def idle_to_its_end():
    return asyncio.run(fetch(REQUEST))


def upload():
    host.room, host.pause = 50_000, 0.5
    length = 500_000
    head = b"POST / HTTP/1.1\r\nConnection: close\r\nContent-Length: %d\r\n\r\n" % length
    asyncio.run(fetch(head + b"x" * length))
    host.pause = 0.0
    return len(host.requests[-1].body)


def refused():
    host.connect = lambda request: Answer(error=types.ErrorCode_ConnectionRefused())
    asyncio.run(fetch())


def unknown():
    code = types.ErrorCode_DnsError(types.DnsErrorPayload(None, None))
    host.connect = lambda request: Answer(error=code, after=1.0)
    asyncio.run(fetch())


def denied():
    code = types.ErrorCode_InternalError("denied: not in permissions.http")
    host.connect = lambda request: Answer(error=code, after=1.0)
    asyncio.run(fetch())


def deadlock():
    async def run():
        await asyncio.Event().wait()

    asyncio.run(run())


for line in attempts(
    *(one, hundred, beside_a_clock, timeout, cancelled, idle_to_its_end, upload),
    *(refused, unknown, denied, deadlock),
):
    print(line)
gc.collect()
print(len(host.handles), "handles")
