"""stdin, stdout and stderr: text over buffers over the three WASI streams.

As with `python3 -u`, what is written reaches the host at once, be it text or bytes: an
action that is cancelled or runs out of time keeps what it has said so far.

They are made anew for every run, as CPython makes them when it starts: the
priming run may have closed or replaced its own.
"""

import io
import sys
from collections.abc import Buffer

_BUFFER_SIZE = 8192


def open_all() -> None:
    """Give `sys` fresh standard streams over the descriptors 0, 1 and 2."""
    sys.stdin = sys.__stdin__ = _open(0, "<stdin>", "r", "surrogateescape")
    sys.stdout = sys.__stdout__ = _open(1, "<stdout>", "w", "strict")
    sys.stderr = sys.__stderr__ = _open(2, "<stderr>", "w", "backslashreplace")


def close_all() -> None:
    """Take the streams away, so that the next `open_all` has nothing to free."""
    sys.stdin = sys.__stdin__ = None
    sys.stdout = sys.__stdout__ = None
    sys.stderr = sys.__stderr__ = None


class _Unbuffered(io.BufferedWriter):
    """Writes at once, and all of it, which a raw file need not do."""

    def write(self, data: Buffer) -> int:
        written = super().write(data)
        self.flush()
        return written


def _open(descriptor: int, name: str, mode: str, errors: str) -> io.TextIOWrapper:
    raw = io.FileIO(descriptor, mode, closefd=False)
    raw.name = name
    buffer = (io.BufferedReader if mode == "r" else _Unbuffered)(raw, _BUFFER_SIZE)
    at_once = mode == "w"
    text = io.TextIOWrapper(buffer, "utf-8", errors, newline="\n", write_through=at_once)
    text.mode = mode
    return text


def flush_all() -> bool:
    """Write out what is buffered. False: something could not be written."""
    # The action may have put other objects in the place of ours, or closed them.
    written = True
    for stream in (sys.stdout, sys.__stdout__, sys.stderr, sys.__stderr__):
        try:
            if stream is not None and not getattr(stream, "closed", False):
                stream.flush()
        except Exception:
            written = False
    return written
