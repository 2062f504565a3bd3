"""Scratch space ends with an error at its limit, however filled, and frees what is removed."""

import errno
import os

# libc knows no better word than EIO for a stream that failed.
FULL = (errno.ENOSPC, errno.EIO)


def fill(path):
    written = 0
    with open(path, "wb", buffering=0) as file:
        try:
            while True:
                written += file.write(b"x" * 1000)
        except OSError as error:
            assert error.errno in FULL, error
    return written


def refused(name, attempt):
    try:
        attempt()
        print("not refused:", name)
    except OSError as error:
        assert error.errno in FULL, error
        print("full:", name)


print("written", fill("/tmp/a"))
os.unlink("/tmp/a")


def big():
    with open("/tmp/b", "wb") as file:
        file.write(b"x" * 20_000_000)


def sparse():
    with open("/tmp/c", "wb") as file:
        file.truncate(10 << 30)


def seek():
    with open("/tmp/d", "wb", buffering=0) as file:
        file.seek(10 << 30)
        file.write(b"x")


for attempt in (big, sparse, seek):
    refused(attempt.__name__, attempt)
    for name in os.listdir("/tmp"):
        os.unlink(f"/tmp/{name}")
print("again", fill("/tmp/e"))
