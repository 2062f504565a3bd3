"""A guest makes no links, symbolic or hard, to anywhere."""

import os

open("/tmp/file", "w").close()
for link in (
    lambda: os.symlink("/etc/passwd", "/tmp/link"),
    lambda: os.symlink("file", "/tmp/link"),
    lambda: os.link("/tmp/file", "/tmp/link"),
):
    try:
        link()
        print("made")
    except OSError as error:
        print(type(error).__name__)
