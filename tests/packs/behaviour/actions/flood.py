"""Write as many bytes as asked for, in lines of 100."""

import json
import sys

params = json.load(sys.stdin)
stream = getattr(sys, params.get("stream", "stdout"))
line = "x" * 99 + "\n"
for _ in range(params["bytes"] // 10_000):
    stream.write(line * 100)
