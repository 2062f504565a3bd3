"""Answer with the parameters, exactly as they came."""

import sys

print(sys.stdin.read(), end="")
