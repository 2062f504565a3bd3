"""Talks to the API: requests to ATTUNE_API_URL never leave the server."""

import json
import os
import urllib.request

request = urllib.request.Request(f"{os.environ['ATTUNE_API_URL']}/api/v1/executions/stats")
request.add_header("Authorization", f"Bearer {os.environ['ATTUNE_API_TOKEN']}")
with urllib.request.urlopen(request) as response:
    print(json.dumps(json.load(response)["data"]))
