"""From a request to a response: the one path that every run takes.

A run must end the way a process of its own would have ended: whatever the
action raises becomes an exit code, its exit handlers run, its streams are
flushed. The instance is dropped afterwards, so nothing here tidies up memory.
"""

import atexit
import json
import sys
import types

from . import failure, function, process, script, streams
from .request import Request

PACK = "/pack"


def serve(text: str, code: bytes, pack: str = PACK) -> str:
    """Run the action that `text` describes and return the response as JSON."""
    request = Request.parse(text, code)
    streams.open_all()
    process.enter(request, pack)
    response = _outcome(request)
    _finish()
    if not streams.flush_all():
        response = json.dumps({"exit_code": process.EXIT_FLUSH_FAILED})
    return response


def _outcome(request: Request) -> str:
    try:
        if request.function is None:
            return json.dumps({"exit_code": script.execute(sys.argv[0], request.code)})
        return function.call(sys.argv[0], request)
    except SystemExit as stop:
        code = process.exit_code(stop)
    except BaseException as error:
        failure.report(error)
        code = process.EXIT_INTERRUPTED if isinstance(error, KeyboardInterrupt) else 1
    return json.dumps({"exit_code": code})


def _finish() -> None:
    """Do what the end of a CPython process does for user code.

    Dropping the names of the action's module closes files that it left open,
    which writes out what they still buffer.
    """
    atexit._run_exitfuncs()
    for name in (script.MODULE, function.MODULE):
        module = sys.modules.get(name)
        if isinstance(module, types.ModuleType):
            vars(module).clear()
