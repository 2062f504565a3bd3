"""The usual action: JSON in, JSON out."""

import json
import sys

params = json.load(sys.stdin)
json.dump({"greeting": f"hello {params['name']}"}, sys.stdout, ensure_ascii=False)
