"""Bytes that are no text, through the buffer and through the descriptor."""

import os
import sys

print(sys.stdin.buffer.read(3))
print(open(0, "rb", closefd=False).read() == b"", os.read(0, 10))
sys.stdout.flush()
sys.stdout.buffer.write(b"buffer\n")
sys.stdout.buffer.flush()
os.write(1, b"descriptor\n")
