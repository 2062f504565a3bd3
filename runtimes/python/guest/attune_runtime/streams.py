"""stdin, stdout and stderr: text over buffers over the three WASI streams.

Output is flushed at the end of each line, so that a line reaches the host as it
is printed, while the pieces of a line cost no host call each.

They are made anew for every run, as CPython makes them when it starts: the
priming run may have closed or replaced its own.
"""

import io
import sys

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


def _open(descriptor: int, name: str, mode: str, errors: str) -> io.TextIOWrapper:
    raw = io.FileIO(descriptor, mode, closefd=False)
    raw.name = name
    buffer = (io.BufferedReader if mode == "r" else io.BufferedWriter)(raw, _BUFFER_SIZE)
    line_buffering = mode == "w"
    text = io.TextIOWrapper(buffer, "utf-8", errors, newline="\n", line_buffering=line_buffering)
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
