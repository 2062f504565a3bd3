"""Prints a message."""

import json
import sys

params = json.load(sys.stdin)
print(params.get("message", ""))
