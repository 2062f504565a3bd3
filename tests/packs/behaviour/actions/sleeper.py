"""Say that it has begun, sleep, say that it is done."""

import json
import sys
import time

params = json.load(sys.stdin)
print("begun", flush=True)
time.sleep(params.get("seconds", 300))
print("done", flush=True)
