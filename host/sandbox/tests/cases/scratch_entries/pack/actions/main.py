"""Files and folders are counted, wherever they are below the scratch directory."""

import os


def count(make):
    number = 0
    try:
        while number < 1000:
            make(number)
            number += 1
    except OSError:
        return number
    return number


print(count(lambda number: open(f"/tmp/{number}", "w").close()))
for number in range(100):
    os.unlink(f"/tmp/{number}")
path = ["/tmp"]


def deeper(number):
    path.append("d")
    os.mkdir("/".join(path))


print(count(deeper))
os.rmdir("/".join(path[:-1]))
open("/tmp/one", "w").close()
print("more after removing")
