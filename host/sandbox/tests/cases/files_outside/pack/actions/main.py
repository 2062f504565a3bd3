"""No path leads out: absolute, upwards, by a link in the pack, into another pack."""

import os

PATHS = [
    "/etc/passwd",
    "/proc/self/environ",
    "/proc/1/cmdline",
    "/dev/null",
    "/",
    "..",
    "../neighbour/actions/main.py",
    "/pack/../neighbour/actions/main.py",
    "/pack/../../1/neighbour/actions/main.py",
    "/tmp/../prime/prime.py",
    "/tmp/..",
    "../../../../../../../../etc/passwd",
    "way_out/passwd",
    "/pack/way_out/passwd",
    "/pack/way_out",
    "/pack/password_file",
]
found = []
for path in PATHS:
    for look in (os.listdir, lambda path: open(path, "rb").read()):
        try:
            found.append((path, look(path)))
        except OSError:
            pass
print(found or "nothing outside")
