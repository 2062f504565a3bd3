"""Greets somebody.

An action is an ordinary script. Its parameters are one JSON object on stdin,
what it prints is its output, and its exit code says whether it succeeded.
"""

import json
import os
import sys

params = json.load(sys.stdin)
print(f"Hello, {params['name']}!")

# The log of a run, no part of its output: `attune execution logs --stderr ID` prints it.
print(f"this was execution {os.environ['ATTUNE_EXEC_ID']}", file=sys.stderr)
