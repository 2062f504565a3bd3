"""A gigabyte of output: a little is kept, and then the run ends."""

import sys

line = "x" * 999_999 + "\n"
for _ in range(1000):
    sys.stdout.write(line)
