"""Say what the parameters tell it to say, and exit as they tell it to."""

import json
import sys

params = json.load(sys.stdin)
sys.stdout.write(params.get("stdout", ""))
sys.stderr.write(params.get("stderr", ""))
sys.exit(params.get("code", 0))
