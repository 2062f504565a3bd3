"""Network modules import; using them is an OSError that says why."""

import asyncio
import http.client
import socket
import urllib.request

ATTEMPTS = {
    "socket": lambda: socket.socket(),
    "create_connection": lambda: socket.create_connection(("127.0.0.1", 80)),
    "getaddrinfo": lambda: socket.getaddrinfo("localhost", 80),
    "http": lambda: urllib.request.urlopen("http://localhost/"),
    "https": lambda: urllib.request.urlopen("https://localhost/"),
    "HTTPSConnection": lambda: http.client.HTTPSConnection("localhost"),
    "asyncio": lambda: asyncio.run(asyncio.open_connection("localhost", 80)),
}
for name, attempt in ATTEMPTS.items():
    try:
        attempt()
    except OSError as error:
        print(name, "this action has no network access" in str(error))
