"""One request with urllib, which heeds `http_proxy`; what came back, or what went wrong."""

import json
import os
import ssl
import sys
import urllib.error
import urllib.request

given = json.load(sys.stdin)
token = os.environ.get("ATTUNE_API_TOKEN")
url = given["url"] if "url" in given else os.environ["ATTUNE_API_URL"] + given["path"]
body = given.get("body")
if body is not None and not isinstance(body, str):
    body = json.dumps(body)
if "size" in given:
    body = "x" * given["size"]
method = {"method": given["method"]} if "method" in given else {}
request = urllib.request.Request(url, None if body is None else body.encode(), **method)
for name, value in given.get("headers", {}).items():
    request.add_header(name, value)
if given.get("signed") or "token" in given:
    request.add_header("Content-Type", "application/json")
    request.add_header("Authorization", f"Bearer {given.get('token', token)}")
context = ssl.create_default_context(cafile=given.get("cafile"))
answer = {"token": token}
try:
    try:
        response = urllib.request.urlopen(request, timeout=20, context=context)
    except urllib.error.HTTPError as refusal:
        response = refusal
    with response:
        answer |= {"status": response.status, "url": response.url}
        answer["headers"] = dict(response.headers)
        size = 0
        text = b""
        while part := response.read1(1 << 16):
            size += len(part)
            text += part[: 10_000 - len(text)]
            if given.get("tells"):
                print("begun", flush=True)
        answer |= {"size": size, "body": text.decode("latin-1")}
except Exception as error:
    answer |= {"error": type(error).__name__, "text": str(error)}
print(json.dumps(answer))
