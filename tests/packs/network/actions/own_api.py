"""The server's own API, as an action finds it."""

import json
import os
import sys
import urllib.request

params = json.load(sys.stdin)
try:
    url = os.environ["ATTUNE_API_URL"] + params.get("path", "/health")
    with urllib.request.urlopen(url, timeout=10) as response:
        answer = {"url": url, "status": response.status, "body": response.read().decode()}
except Exception as error:
    answer = {"error": type(error).__name__, "text": str(error)}
print(json.dumps(answer))
