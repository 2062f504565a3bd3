"""However a script leaves its connections, handles go back in an order that a host allows."""

import asyncio
import atexit
import gc
import http.client
import socket
import urllib.request
import weakref

from fake_host import Answer, host

host.answer = lambda request: Answer(body=[b"x" * 1000, 5.0, b"y" * 1000])
host.connect = lambda request: Answer(after=1.0)


def half_read():
    response = urllib.request.urlopen("http://example.com/")
    response.read(10)
    return response


def in_a_cycle():
    for _ in range(10):
        response = half_read()
        ring = [response]
        ring.append(ring)


def in_an_error():
    try:
        response = half_read()
        raise ValueError(response)
    except ValueError as error:
        return [error]


def half_sent():
    sock = socket.create_connection(("example.com", 80))
    sock.sendall(b"POST / HTTP/1.1\r\nContent-Length: 100\r\n\r\nabc")
    return sock


def sent_in_vain():
    sock = half_sent()
    host.deaf = True
    sock.sendall(b"x" * 10)
    host.deaf = False
    return sock


def half_connected():
    sock = socket.socket()
    sock.setblocking(False)
    sock.connect_ex(("example.com", 80))
    return sock


def timed_out():
    client = http.client.HTTPConnection("example.com", timeout=2)
    client.request("GET", "/")
    try:
        client.getresponse().read()
    except TimeoutError:
        return client


def detached():
    sock = half_sent()
    return socket.socket(fileno=sock.detach())


def closed_twice():
    response = half_read()
    response.close()
    response.close()


def loop_without_an_end():
    loop = asyncio.new_event_loop()

    async def run():
        reader, writer = await asyncio.open_connection("example.com", 80)
        writer.write(b"GET / HTTP/1.1\r\n\r\n")
        return await reader.read(10)

    loop.run_until_complete(run())
    task = loop.create_task(run())
    loop.call_later(0.5, loop.stop)
    loop.run_forever()
    task._log_destroy_pending = False


for leave in (
    *(half_read, in_a_cycle, in_an_error, half_sent, sent_in_vain, half_connected, timed_out),
    *(detached, closed_twice, loop_without_an_end),
):
    kept = leave()
    during = len(host.handles)
    del kept
    gc.collect()
    print(leave.__name__, during > 0 or leave is in_a_cycle, len(host.handles))

left = [half_read(), half_sent(), half_connected()]
weakref.finalize(left[1], print, "after the exit handlers")
atexit.register(lambda: print("left open", len(host.handles) > 0))
