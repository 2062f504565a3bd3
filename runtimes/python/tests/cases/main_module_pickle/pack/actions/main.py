"""Classes of the script belong to a real __main__ module."""

import dataclasses
import pickle


@dataclasses.dataclass
class Point:
    x: int
    y: int


print(pickle.loads(pickle.dumps(Point(1, 2))))
