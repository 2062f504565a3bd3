"""Begins requests and ends without waiting for their answers."""

import http.client
import json
import sys
from urllib.parse import urlsplit

params = json.load(sys.stdin)
parts = urlsplit(params["url"])
for _ in range(params["count"]):
    http.client.HTTPConnection(parts.hostname, parts.port, timeout=300).request("GET", "/")
print(json.dumps("done"))
