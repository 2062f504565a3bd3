"""Who the program is, whom it sees, and what it holds."""

import json
import os
import resource
import signal


def status(pid="self"):
    with open(f"/proc/{pid}/status") as file:
        return dict(line.rstrip("\n").split(":\t", 1) for line in file if ":\t" in line)


def can(what, *arguments):
    try:
        what(*arguments)
        return True
    except (OSError, ValueError):
        return False


def is_open(number):
    return can(os.fstat, number)


def commands():
    found = {}
    for name in filter(str.isdigit, os.listdir("/proc")):
        try:
            with open(f"/proc/{name}/cmdline", "rb") as file:
                found[name] = file.read().replace(b"\0", b" ").decode(errors="replace")
        except OSError as problem:
            found[name] = f"refused: {problem.strerror}"
    return found


own = status()
# No limit on open files can hide a descriptor: those that are open stay so.
descriptors = [number for number in range(2048) if is_open(number)]
answer = {
    "user": [os.getuid(), os.geteuid(), os.getgid(), os.getegid(), os.getgroups()],
    "status": {
        name: own[name].strip()
        for name in "CapInh CapPrm CapEff CapBnd CapAmb NoNewPrivs Seccomp".split()
    },
    "descriptors": descriptors,
    "commands": commands(),
    "becomes_root": [can(os.setuid, 0), can(os.setgid, 0), can(os.setgroups, [0])],
    "core": resource.getrlimit(resource.RLIMIT_CORE),
    "processes": resource.getrlimit(resource.RLIMIT_NPROC),
    "more": can(resource.setrlimit, resource.RLIMIT_NPROC, (1 << 20, 1 << 20)),
    "signals": [sig.name for sig in signal.pthread_sigmask(signal.SIG_BLOCK, [])],
    "own_session": os.getsid(0) == os.getpid(),
    "terminal": can(os.open, "/dev/tty", os.O_RDWR),
    "nicer": can(os.nice, -5),
    "host": os.uname().nodename,
}
print(json.dumps(answer))
