"""Every way to change the pack folder fails."""

import os

HERE = "/pack/actions/main.py"
attempts = {
    "write": lambda: open(HERE, "w"),
    "append": lambda: open(HERE, "a"),
    "update": lambda: open(HERE, "r+"),
    "create": lambda: open("/pack/new", "w"),
    "mkdir": lambda: os.mkdir("/pack/folder"),
    "unlink": lambda: os.unlink(HERE),
    "rmdir": lambda: os.rmdir("/pack/actions"),
    "rename": lambda: os.rename(HERE, "/pack/moved"),
    "move out": lambda: os.rename(HERE, "/tmp/moved"),
    "truncate": lambda: os.truncate(HERE, 0),
    "times": lambda: os.utime(HERE, (0, 0)),
}
done = []
for name, attempt in attempts.items():
    try:
        attempt()
        done.append(name)
    except OSError:
        pass
print(done or "unchanged")
