"""Begins requests and ends without waiting for their answers."""

import http.client
import json
import sys
from urllib.parse import urlsplit

params = json.load(sys.stdin)
parts = urlsplit(params["url"])
held = []
for _ in range(params["count"]):
    held.append(http.client.HTTPConnection(parts.hostname, parts.port, timeout=300))
    held[-1].request("GET", "/")
print(json.dumps("done"))
