"""Everything that the action was given."""

import json
import os
import sys

print(json.dumps({"parameters": json.load(sys.stdin), "environment": dict(os.environ)}))
