"""An asynchronous function action."""

import asyncio


async def run(params):
    async with asyncio.timeout(1):
        await asyncio.gather(asyncio.sleep(0), asyncio.sleep(0.0001))
    return params
