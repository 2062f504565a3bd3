"""Waiting for what cannot happen is an error, not a hang."""

import asyncio


async def main():
    await asyncio.Event().wait()


asyncio.run(main())
