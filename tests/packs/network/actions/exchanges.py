"""Several requests over one http.client connection, as long as it holds; then over a new one."""

import http.client
import json
import sys
from urllib.parse import urlsplit

params = json.load(sys.stdin)
parts = urlsplit(params["url"])


def exchange(target):
    try:
        connected.request("GET", target)
        response = connected.getresponse()
        return {"status": response.status, "body": response.read().decode("latin-1")}
    except Exception as error:
        connected.close()
        return {"error": type(error).__name__, "text": str(error)}


connected = http.client.HTTPConnection(parts.hostname, parts.port, timeout=5)
print(json.dumps([exchange(target) for target in params["targets"]]))
