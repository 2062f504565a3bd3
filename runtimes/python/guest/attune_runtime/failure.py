"""Tracebacks of user code, without the frames of this runtime."""

import sys
import types

_RUNTIME = __package__


def report(error: BaseException) -> None:
    """Print an uncaught exception as CPython does, through `sys.excepthook`."""
    error.__traceback__ = _without_runtime(error.__traceback__)
    try:
        sys.excepthook(type(error), error, error.__traceback__)
    except BaseException as hook_error:
        print("Error in sys.excepthook:", file=sys.stderr)
        sys.__excepthook__(type(hook_error), hook_error, hook_error.__traceback__)
        print("\nOriginal exception was:", file=sys.stderr)
        sys.__excepthook__(type(error), error, error.__traceback__)


def _without_runtime(trace: types.TracebackType | None) -> types.TracebackType | None:
    """The same chain without our own frames, which may also be in its middle (the event loop)."""
    # A loop, because the chain of a RecursionError is as long as the stack may be deep.
    frames = []
    while trace is not None:
        package = trace.tb_frame.f_globals.get("__package__") or ""
        if package.partition(".")[0] != _RUNTIME:
            frames.append(trace)
        trace = trace.tb_next
    rest = None
    for frame in reversed(frames):
        frame.tb_next = rest
        rest = frame
    return rest
