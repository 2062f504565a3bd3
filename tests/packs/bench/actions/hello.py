"""The smallest useful action: parameters in, an answer out."""

import json
import sys

params = json.load(sys.stdin)
print(json.dumps({"hello": params["name"]}))
