"""So many requests over one connection that is kept; the seconds of each.

Runs as an action, and as a script of any Python.
"""

import http.client
import json
import ssl
import sys
from time import perf_counter

asked = json.load(sys.stdin)
context = ssl.create_default_context()
connection = http.client.HTTPSConnection("127.0.0.1", asked["port"], context=context)
connection.connect()
seconds = []
for _ in range(asked["times"]):
    start = perf_counter()
    connection.request("GET", asked["path"])
    response = connection.getresponse()
    body = response.read()
    seconds.append(perf_counter() - start)
    assert (response.status, len(body)) == (200, 1000)
print(json.dumps(seconds))
