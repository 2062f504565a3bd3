"""Waits for several things at once: asyncio works as it does elsewhere."""

import asyncio
import time
from typing import Any


async def fetch(number: int) -> int:
    """Stands for a slow answer from somewhere else."""
    await asyncio.sleep(0.2)
    return number * number


async def run(params: dict[str, Any]) -> dict[str, Any]:
    started = time.monotonic()
    async with asyncio.timeout(5):
        answers = [fetch(number) for number in range(params["count"])]
        squares = await asyncio.gather(*answers)
    return {"squares": squares, "seconds": round(time.monotonic() - started, 1)}
