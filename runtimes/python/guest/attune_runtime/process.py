"""What an action sees of "its process": argv, environment, directory, exit codes."""

import atexit
import contextlib
import logging
import os
import random
import sys
import time
import types

from .request import Request

EXIT_CANNOT_OPEN = 2
EXIT_FLUSH_FAILED = 120
EXIT_INTERRUPTED = 130

# Scratch space is the one place where an action can write.
DEFAULT_ENVIRONMENT = {"HOME": "/tmp", "TMPDIR": "/tmp"}


def enter(request: Request, pack: str) -> None:
    """Make the interpreter look as if it had been started for this request.

    It has been left with an empty environment (`snapshot.serve_and_forget`).
    """
    for name, value in (DEFAULT_ENVIRONMENT | request.env).items():
        os.environ[name] = value
    os.chdir(pack)
    entry = f"{pack}/{request.entry}"
    sys.modules["__main__"] = types.ModuleType("__main__")
    sys.argv[:] = [entry, *request.argv]
    sys.path[:] = [os.path.dirname(entry), f"{pack}/lib", pack]
    _thaw()


def _thaw() -> None:
    """Renew what the snapshot froze and a process would have made at its start."""
    random.seed()
    atexit.register(logging.shutdown)
    logging._startTime = time.time_ns()


def exit_code(stop: SystemExit) -> int:
    """The exit code that CPython derives from `sys.exit(...)`."""
    if stop.code is None:
        return 0
    if isinstance(stop.code, int):
        return stop.code & 0xFF
    with contextlib.suppress(Exception):  # The action may have closed stderr.
        print(stop.code, file=sys.stderr)
    return 1
