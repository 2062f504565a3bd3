"""The server's own API, as an action finds it."""

import json
import os
import sys
import urllib.request

params = json.load(sys.stdin)
token = os.environ.get("ATTUNE_API_TOKEN")
try:
    url = os.environ["ATTUNE_API_URL"] + params.get("path", "/health")
    body = params.get("body")
    request = urllib.request.Request(url, body and json.dumps(body).encode())
    request.add_header("Content-Type", "application/json")
    if params.get("signed") or "token" in params:
        request.add_header("Authorization", f"Bearer {params.get('token', token)}")
    with urllib.request.urlopen(request, timeout=10) as response:
        text = response.read().decode()
        answer = {"url": url, "status": response.status, "body": text, "token": token}
except Exception as error:
    answer = {"error": type(error).__name__, "text": str(error)}
print(json.dumps(answer))
