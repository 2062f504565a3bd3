"""One URL with urllib, which follows redirects."""

import json
import sys
import urllib.request

params = json.load(sys.stdin)
answer = {}
try:
    request = urllib.request.Request(params["url"], headers=params.get("headers", {}))
    with urllib.request.urlopen(request, timeout=10) as response:
        answer = {"status": response.status, "url": response.url, "body": response.read().decode()}
except Exception as error:
    answer = {"error": type(error).__name__, "text": str(error)}
print(json.dumps(answer))
