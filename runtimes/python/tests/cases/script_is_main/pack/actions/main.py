"""A script sees the process that it would see natively."""

import os
import sys

print(__name__, sys.modules["__main__"].__file__ == __file__)
print(__file__, sys.argv)
print(os.getcwd())
print(sys.path)
print(sorted(os.environ.items()))
print(os.getenv("ATTUNE_EXEC_ID"))
