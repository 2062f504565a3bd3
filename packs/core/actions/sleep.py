"""Waits, then prints a message."""

import json
import sys
import time

params = json.load(sys.stdin)
time.sleep(params.get("seconds", 1))
if message := params.get("message"):
    print(message)
