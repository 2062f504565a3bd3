"""Without input the stream is at its end at once."""

import sys

print(repr(sys.stdin.read()), repr(sys.stdin.buffer.read()), list(sys.stdin))
