"""A file named like a module of the library does not take its place."""

import colorsys
import queue

print(queue.Queue.__name__, hasattr(colorsys, "NAME"))
