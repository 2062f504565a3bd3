"""What sockets cannot do here is refused where it is asked for, with the reason."""

import asyncio
import socket
import ssl


def udp():
    socket.socket(type=socket.SOCK_DGRAM)


def port():
    socket.create_server(("", 8080))


def listen():
    server = socket.socket()
    server.bind(("", 0))
    server.listen()


def serve():
    asyncio.run(asyncio.start_server(print, "127.0.0.1", 8080))


def pair():
    socket.socketpair()


def reverse():
    socket.gethostbyaddr("127.0.0.1")


def name():
    socket.create_connection(("no such name", 80))


def unconnected():
    socket.socket().send(b"GET / HTTP/1.1\r\n\r\n")


def closed():
    sock = socket.socket()
    sock.close()
    sock.send(b"")


def certificate():
    ssl.create_default_context().load_cert_chain("client.pem")


def tls_server():
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.wrap_bio(ssl.MemoryBIO(), ssl.MemoryBIO(), server_side=True)


def no_name():
    ssl.create_default_context().wrap_bio(ssl.MemoryBIO(), ssl.MemoryBIO())


def unchecked():
    ssl.create_default_context().verify_mode = ssl.CERT_NONE


for attempt in (
    *(udp, port, listen, serve, pair, reverse, name, unconnected, closed),
    *(certificate, tls_server, no_name, unchecked),
):
    try:
        attempt()
    except Exception as error:
        print(attempt.__name__, type(error).__name__, error)
