"""What the snapshot holds is not counted; what the run makes is."""

import json
import sys


class Made:
    """Of this run."""


snapshot = [json, json.dumps, json.dumps.__code__, json.JSONDecoder, json.__dict__, sys.path]
print([sys._is_immortal(one) for one in snapshot], sys._is_immortal(Made()))
