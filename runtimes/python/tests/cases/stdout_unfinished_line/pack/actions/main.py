"""What no newline ended is written when the action ends, also when it fails."""

import sys

print("no newline", end="")
sys.stderr.write("neither here")
raise SystemExit(4)
