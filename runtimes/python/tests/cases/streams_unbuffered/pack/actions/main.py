"""Text and bytes without the end of a line are written at once; an abort keeps them."""

import os
import sys

print("text", end="")
sys.stdout.buffer.write(b" bytes")
sys.stderr.buffer.write(b"x" * 200_000)
os.write(1, b" raw")
