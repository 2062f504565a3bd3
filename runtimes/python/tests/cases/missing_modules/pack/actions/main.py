"""What a sandbox has not got says so, and names the way out."""

import hashlib
import importlib
import os
import subprocess
import threading

NAMES = "ctypes bz2 lzma mmap fcntl termios curses readline resource pwd grp _multiprocessing"
WAY_OUT = "use a native runner (see runtimes/python/README.md)"


def check(name, function):
    try:
        function()
    except (ImportError, OSError, RuntimeError, AttributeError) as error:
        named = "not available in Attune's Python sandbox" in str(error) and WAY_OUT in str(error)
        print(name, type(error).__name__, named)
    else:
        print(name, "is there")


for name in NAMES.split():
    check(name, lambda: importlib.import_module(name))
check("thread", threading.Thread(target=print).start)
check("subprocess", lambda: subprocess.run(["ls"]))
check("os.system", lambda: os.system("ls"))
check("os.fork", lambda: os.fork())
check("pbkdf2_hmac", lambda: hashlib.pbkdf2_hmac("sha256", b"", b"", 1))
print(hasattr(os, "fork"))
