"""A coroutine function is run in an event loop."""

import asyncio


async def run(params, context):
    await asyncio.sleep(0.01)
    return {"slept": True}
