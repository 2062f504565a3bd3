"""TLS is asked of the host: over sockets, and over bytes that asyncio carries."""

import asyncio
import http.client
import ssl
import urllib.request

from fake_host import Answer, attempts, host
from wit_world.imports import types

host.answer = lambda request: Answer(fields={"content-length": "2"}, body=[b"ok"], after=1.0)
host.connect = lambda request: Answer(after=0.5)


def shown():
    steps = [f"{r.method} {r.scheme}://{r.authority} {dict(r.fields)}" for r in host.seen]
    host.seen.clear()
    return steps


def unverified():
    context = ssl.create_default_context()
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    return context


def verified():
    return urllib.request.urlopen("https://example.com/").read(), shown()


def insecure():
    return urllib.request.urlopen("https://1.2.3.4:8443/", context=unverified()).read(), shown()


def another_name():
    context = ssl.create_default_context()
    client = http.client.HTTPConnection("example.com", 443)
    client.connect()
    context.wrap_socket(client.sock, server_hostname="example.org")


def facts():
    client = http.client.HTTPSConnection("example.com")
    client.connect()
    sock = client.sock
    host.seen.clear()
    facts = type(sock).__name__, sock.version(), sock.getpeercert(), sock.getpeername()
    client.request("GET", "/")
    return *facts, client.getresponse().read(), sock.pending(), shown()


def without_blocking():
    client = http.client.HTTPConnection("example.com", 443)
    client.connect()
    client.sock.setblocking(False)
    sock = ssl.create_default_context().wrap_socket(
        client.sock, server_hostname="example.com", do_handshake_on_connect=False
    )
    try:
        sock.do_handshake()
    except ssl.SSLWantReadError as error:
        sock.settimeout(1)
        sock.do_handshake()
        host.seen.clear()
        return type(error).__name__, sock.version()


async def talk(context, name="example.com"):
    reader, writer = await asyncio.open_connection(name, 443, ssl=context)
    for _ in range(2):
        writer.write(b"GET / HTTP/1.1\r\nHost: %b\r\n\r\n" % name.encode())
        await writer.drain()
        await reader.readuntil(b"\r\n\r\n")
        body = await reader.readexactly(2)
    cipher = writer.get_extra_info("cipher")
    writer.close()
    await writer.wait_closed()
    return body, cipher[1], shown()


def carried():
    return asyncio.run(talk(True))


def carried_insecurely():
    return asyncio.run(talk(unverified()))


def carried_at_once():
    async def run():
        return {body for body, *_ in await asyncio.gather(*[talk(True) for _ in range(20)])}

    return asyncio.run(run())


def begun_late():
    async def run():
        reader, writer = await asyncio.open_connection("example.com", 443)
        await writer.start_tls(ssl.create_default_context(), server_hostname="example.com")
        writer.write(b"GET / HTTP/1.1\r\nConnection: close\r\n\r\n")
        return (await reader.read())[-10:]

    return asyncio.run(run())


def not_valid():
    invalid = types.ErrorCode_TlsCertificateError()
    host.connect = lambda request: Answer(error=invalid if request.scheme == "https" else None)
    urllib.request.urlopen("https://example.com/")


def not_valid_carried():
    asyncio.run(talk(True))


def denied_carried():
    denied = types.ErrorCode_InternalError("denied: insecure TLS is not granted")
    host.connect = lambda request: Answer(error=denied if request.scheme == "https" else None)
    asyncio.run(talk(unverified()))


for line in attempts(
    *(verified, insecure, another_name, facts, without_blocking),
    *(carried, carried_insecurely, carried_at_once, begun_late),
    *(not_valid, not_valid_carried, denied_carried),
):
    print(line)
