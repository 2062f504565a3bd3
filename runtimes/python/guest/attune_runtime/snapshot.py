"""What must not stay in memory: of the build in the snapshot, of a prime in a run.

How fast a run is depends on how many pages of the snapshot it is first to
write to. So the build takes the real path several times, which makes what is
made lazily (caches, specialised bytecode), and then frees and freezes.
"""

import atexit
import contextvars
import gc
import importlib
import json
import linecache
import os
import sys
import tempfile
import uuid
import weakref

from . import action, heap, immortal, net, script, streams

_WARM_UP_PASSES = 8
_WARM_UP_REQUESTS = (
    {"entry": "actions/script.py", "argv": ["x"], "env": {"ATTUNE_EXEC_ID": "0"}},
    {"entry": "actions/function.py", "function": "run", "params": {"name": "x"}},
    {"entry": "actions/asynchronous.py", "function": "run", "params": {"name": "x"}},
    {"entry": "actions/fails.py"},
)
# What `seal` keeps for ever: all objects, and what fills the heap's gaps.
_kept: list[object] = []


def serve_and_forget(request: str, code: bytes, pack: str = action.PACK) -> str:
    """Run an action, then undo what it leaves behind in the interpreter."""
    known = len(sys.modules)
    response = contextvars.copy_context().run(action.serve, request, code, pack)
    # New modules stand at the end. To copy the table and put it back would write to every
    # module in it, and so double the price of a prime.
    while len(sys.modules) > known:
        sys.modules.popitem()
    sys.argv[:] = [""]
    sys.path.clear()
    # The finders of the import path remember directories, and which of them do not exist.
    sys.path_importer_cache.clear()
    os.environ.clear()
    linecache.clearcache()
    streams.close_all()
    net.forget()
    _forget_names_and_handlers()
    return response


def _forget_names_and_handlers() -> None:
    tempfile.tempdir = None
    tempfile._name_sequence = None
    uuid._node = None
    atexit._clear()
    weakref.finalize._registered_with_atexit = False
    weakref.finalize._shutdown = False


def warm_up() -> None:
    """Take the path of a run, with the pack that lies beside this package."""
    pack = os.path.dirname(os.path.dirname(__file__)) + "/warmup"
    os.environ.clear()
    for _ in range(_WARM_UP_PASSES):
        for request in _WARM_UP_REQUESTS:
            code = script.compiled(f"{pack}/{request['entry']}")
            serve_and_forget(json.dumps(request), code, pack)


def seal() -> None:
    """The last step of a build: nothing of its machine, nothing left to free."""
    importlib.invalidate_caches()
    sys.dont_write_bytecode = True  # A pack is read-only.
    gc.collect()
    _kept.append(immortal.Kept())
    _kept.append(heap.fill_gaps())
    gc.freeze()
