"""Leaves connections in every state that there is, and then looks whether it can still fetch."""

import asyncio
import gc
import json
import socket
import sys

import httpx
import requests

parameters = json.load(sys.stdin)
url, address = parameters["url"], ("127.0.0.1", parameters["port"])
left = []

response = requests.get(f"{url}/bytes?count=5242880", stream=True, verify=True)
response.raw.read(10)
ring = [response]
ring.append(ring)
del response, ring

sock = socket.create_connection(address)
sock.sendall(b"POST /echo HTTP/1.1\r\nContent-Length: 100\r\n\r\nhalf")
left.append(sock)

sock = socket.socket()
sock.setblocking(False)
sock.connect_ex(address)
del sock


async def cancel():
    async with httpx.AsyncClient() as client:
        tasks = [asyncio.create_task(client.get(f"{url}/slow?seconds=5")) for _ in range(10)]
        await asyncio.sleep(0.2)
        for task in tasks:
            task.cancel()
        return await asyncio.gather(*tasks, return_exceptions=True)


ends = asyncio.run(cancel())
gc.collect()
status = requests.get(f"{url}/status/200").status_code
left.append(requests.get(f"{url}/chunks?count=100&pause=0.1", stream=True))
print(json.dumps({"cancelled": len(ends), "status": status}))
