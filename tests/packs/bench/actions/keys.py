"""Sets and gets one key over one kept connection; tells how many of each it does in a second."""

import http.client
import json
import os
import sys
from time import perf_counter
from urllib.parse import urlsplit

PARAMETERS = json.load(sys.stdin)
HEADERS = {
    "Authorization": f"Bearer {os.environ['ATTUNE_API_TOKEN']}",
    "Content-Type": "application/json",
}
API = http.client.HTTPConnection(urlsplit(os.environ["ATTUNE_API_URL"]).netloc)
PATH = f"/api/v1/keys/{PARAMETERS['key']}"


def ask(method, body=None):
    API.request(method, PATH, body, HEADERS)
    response = API.getresponse()
    content = response.read()
    if response.status != 200:
        raise SystemExit(f"{response.status}: {content}")


def per_second(work):
    begun = perf_counter()
    for turn in range(PARAMETERS["times"]):
        work(turn)
    return PARAMETERS["times"] / (perf_counter() - begun)


sets = per_second(lambda turn: ask("PUT", json.dumps({"value": turn})))
gets = per_second(lambda _: ask("GET"))
print(json.dumps({"set": round(sets), "get": round(gets)}))
