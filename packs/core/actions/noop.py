"""Does nothing but end with an exit code."""

import json
import sys

params = json.load(sys.stdin)
if message := params.get("message"):
    print(message)
sys.exit(params.get("exit_code", 0))
