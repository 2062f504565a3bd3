"""Many requests at once, to a server that need not answer; says how many could be sent."""

import http.client
import json
import sys
import time
from urllib.parse import urlsplit

params = json.load(sys.stdin)
parts = urlsplit(params["url"])
held = []
refused = []
for _ in range(params["count"]):
    connected = http.client.HTTPConnection(parts.hostname, parts.port, timeout=300)
    try:
        connected.request("GET", parts.path or "/")
        held.append(connected)
    except OSError as error:
        refused.append(str(error))
print(json.dumps({"begun": len(held), "refused": refused[:3]}), flush=True)
for connected in held:
    try:
        connected.getresponse()
    except Exception as error:
        print(json.dumps({"error": type(error).__name__, "text": str(error)}), flush=True)
# Whatever has come of them: they stay as they are.
time.sleep(params.get("seconds", 0))
