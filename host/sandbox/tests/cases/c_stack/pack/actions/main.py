"""C code that recurses ends in a trap and not in our process, whatever limit Python has."""

import sys

print("begun")
sys.setrecursionlimit(10**9)
value = []
for _ in range(1_000_000):
    value = [value]
repr(value)
