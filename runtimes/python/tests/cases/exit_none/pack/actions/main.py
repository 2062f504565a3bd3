"""sys.exit() is a success, and so is the end of exit handlers."""

import sys

try:
    sys.exit()
finally:
    print("finally")
