"""Asks for what it does not get, so many times."""

import json
import sys
import urllib.error
import urllib.request

params = json.load(sys.stdin)
for _ in range(params["times"]):
    try:
        urllib.request.urlopen(params["url"])
    except urllib.error.URLError as error:
        last = error
print(json.dumps(str(last)))
