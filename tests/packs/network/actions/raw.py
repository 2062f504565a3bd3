"""Bytes over a socket, and all that comes back until the other side is done."""

import json
import socket
import sys

params = json.load(sys.stdin)
answer = {"received": ""}
try:
    address = (params["host"], params["port"])
    with socket.create_connection(address, timeout=params.get("timeout", 5)) as connected:
        for part in params["send"]:
            connected.sendall(part.encode("latin-1"))
        while part := connected.recv(1 << 16):
            answer["received"] += part.decode("latin-1")
except Exception as error:
    answer |= {"error": type(error).__name__, "text": str(error)}
print(json.dumps(answer))
