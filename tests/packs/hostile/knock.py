"""Bytes to the door, and all that comes back until it is done, or nothing comes any more."""

import json
import socket
import sys

given = json.load(sys.stdin)
patience = given.get("patience", 1)
answer = []
for exchange in given["exchanges"]:
    received = b""
    try:
        with socket.create_connection(("127.0.0.1", 3128), timeout=patience) as door:
            for part in exchange:
                door.sendall(part.encode("latin-1"))
            while part := door.recv(1 << 16):
                received += part
    except OSError:
        pass
    answer.append(received[:20_000].decode("latin-1"))
print(json.dumps(answer))
