"""With Python's own guard switched off, the stack ends in a trap and not in our process."""

import sys

print("begun")
sys.setrecursionlimit(10**9)


class Endless:
    def __getattr__(self, name):
        return getattr(self, name + "x")


def nested(depth):
    return [nested(depth + 1)]


nested(0)
