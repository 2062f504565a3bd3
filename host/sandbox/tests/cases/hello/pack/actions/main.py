import json
import os
import sys

print("hello", json.load(sys.stdin)["name"], os.environ["ATTUNE_EXEC_ID"])
