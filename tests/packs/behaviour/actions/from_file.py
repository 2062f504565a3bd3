"""Answer with the parameters, which come in a file, and with what stdin holds."""

import json
import os
import sys

with open(os.environ["ATTUNE_PARAMETER_FILE"], encoding="utf-8") as file:
    print(json.dumps({"file": json.load(file), "stdin": sys.stdin.read()}))
