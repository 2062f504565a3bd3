"""Leaves traces wherever another run might find them, and tells of those that are there."""

import contextlib
import ctypes
import json
import os
import socket
import sys
import time

given = json.load(sys.stdin)
NAME = "trace-of-a-guest"


def others():
    with socket.socket(socket.AF_UNIX) as stream:
        with contextlib.suppress(OSError):
            stream.connect("\0" + NAME)
            yield "abstract socket"
    with contextlib.suppress(OSError):
        socket.create_connection(("127.0.0.1", 4000), timeout=1).close()
        yield "port"
    for folder in ("/tmp", "/dev/shm", "/run", "/var/tmp"):
        with contextlib.suppress(OSError):
            if NAME in os.listdir(folder):
                yield f"file in {folder}"
    # SysV memory and POSIX queues.
    libc = ctypes.CDLL(None)
    if libc.shmget(4711, 0, 0) != -1:
        yield "shared memory"
    if libc.msgget(4711, 0) != -1:
        yield "message queue"
    if libc.semget(4711, 0, 0) != -1:
        yield "semaphores"
    for name in filter(str.isdigit, os.listdir("/proc")):
        with contextlib.suppress(OSError), open(f"/proc/{name}/cmdline") as file:
            if int(name) != os.getpid() and "neighbour.py" in file.read():
                yield "process"
    if os.path.exists("/proc/sysvipc/msg"):
        yield from open("/proc/sysvipc/msg").read().splitlines()[1:]


def leave():
    left = [socket.socket(socket.AF_UNIX), socket.socket()]
    left[0].bind("\0" + NAME)
    left[1].setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    left[1].bind(("127.0.0.1", 4000))
    for listener in left:
        listener.listen()
    for folder in ("/tmp", "/dev/shm", "/run", "/var/tmp"):
        with contextlib.suppress(OSError):
            open(f"{folder}/{NAME}", "w").write("x")
    libc = ctypes.CDLL(None)
    create = 0o1666
    libc.shmget(4711, 4096, create)
    libc.msgget(4711, create)
    libc.semget(4711, 1, create)
    return left


found = list(others())
kept = leave()
if given.get("stays"):
    print("begun", flush=True)
    time.sleep(600)
print(json.dumps(found))
