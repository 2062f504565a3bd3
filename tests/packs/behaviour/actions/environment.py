"""Answer with the environment, the arguments, the working directory's files, the version."""

import json
import os
import sys

answer = {"env": dict(os.environ), "name": __name__, "argv": sys.argv, "files": os.listdir()}
answer["version"] = sys.version.split()[0]
print(json.dumps(answer))
