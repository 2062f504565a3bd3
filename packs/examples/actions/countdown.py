"""Counts down one second at a time.

What is printed can be read at once, while the action goes on. When it is
cancelled it stops here and now, and what it has printed is kept.
"""

import json
import sys
import time

params = json.load(sys.stdin)
for left in range(params["seconds"], 0, -1):
    print(f"{left} …")
    time.sleep(1)
print("done")
