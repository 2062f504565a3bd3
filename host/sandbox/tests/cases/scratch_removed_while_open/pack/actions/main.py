"""A file that was removed while it is open still takes space, and still counts."""

import os

files, total = [], 0
try:
    for number in range(20):
        path = f"/tmp/{number}"
        files.append(open(path, "wb", buffering=0))
        for _ in range(1000):
            total += files[-1].write(b"x" * 1000)
        os.unlink(path)
except OSError:
    pass
print(total)
