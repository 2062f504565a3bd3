"""Many requests side by side from one run: {"url", "count"}."""

import asyncio
import json
import sys

import httpx


async def fetch_all(url, count):
    limits = httpx.Limits(max_connections=count)
    async with httpx.AsyncClient(limits=limits, timeout=60) as client:
        return await asyncio.gather(*[client.get(url) for _ in range(count)])


parameters = json.load(sys.stdin)
answers = asyncio.run(fetch_all(parameters["url"], parameters["count"]))
print(json.dumps([answer.status_code for answer in answers]))
