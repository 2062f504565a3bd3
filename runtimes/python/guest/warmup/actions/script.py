"""An ordinary script: reads its input, uses a module of the pack, prints JSON."""

import json
import os
import sys

from greeting import greet

params = json.loads(sys.stdin.read() or '{"name": "x", "list": [1, 2.5, null, true]}')
print(json.dumps({"text": greet(params["name"]), "id": os.environ.get("ATTUNE_EXEC_ID")}))
print("log line", file=sys.stderr)
sys.exit(0)
