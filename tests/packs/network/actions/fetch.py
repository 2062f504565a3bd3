"""One request with http.client; answer with what came back, or with what went wrong."""

import http.client
import json
import ssl
import sys
from urllib.parse import urlsplit

params = json.load(sys.stdin)
timeout = params.get("timeout", 10)


def connection(parts):
    host, port = parts.hostname, parts.port or {"http": 80, "https": 443}[parts.scheme]
    if parts.scheme == "http":
        return http.client.HTTPConnection(host, port, timeout=timeout)
    context = ssl.create_default_context()
    if params.get("insecure"):
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
    return http.client.HTTPSConnection(host, port, timeout=timeout, context=context)


def exchange():
    parts = urlsplit(params["url"])
    connected = connection(parts)
    target = parts.path + (f"?{parts.query}" if parts.query else "")
    method = params.get("method", "GET")
    headers = params.get("headers", {})
    body = params.get("body")
    connected.request(method, target or "/", body and body.encode(), headers)
    response = connected.getresponse()
    answer["status"] = response.status
    answer["headers"] = response.getheaders()
    size = 0
    while part := response.read1(1 << 16):
        size += len(part)
        if len(answer.setdefault("body", "")) < 10_000:
            answer["body"] += part.decode("latin-1")
        answer["size"] = size
    if response.length:
        raise http.client.IncompleteRead(b"", response.length)


answer = {}
try:
    exchange()
except Exception as error:
    answer["error"] = type(error).__name__
    answer["text"] = str(error)
print(json.dumps(answer))
