"""Answer with the whole environment, the arguments and the working directory's files."""

import json
import os
import sys

answer = {"env": dict(os.environ), "name": __name__, "argv": sys.argv, "files": os.listdir()}
print(json.dumps(answer))
