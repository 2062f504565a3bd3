"""The function contract: `file.py:run` is called with (params, context).

What it returns is the result of the action; stdout is only its log.
"""

import asyncio
import inspect
import json
import sys
from collections.abc import Callable
from typing import Any, NoReturn

from . import script
from .request import Request

# Not `__main__`, so that a file can serve both contracts, and not the file's
# own name, which may be that of a module of the library.
MODULE = "attune_action"

_POSITIONAL = (inspect.Parameter.POSITIONAL_ONLY, inspect.Parameter.POSITIONAL_OR_KEYWORD)


def call(path: str, request: Request) -> str:
    """Call the function that the request names and return the response."""
    module = script.run_as(MODULE, path, request.code)
    function = getattr(module, str(request.function), None)
    if not callable(function):
        _stop(f"{request.entry} has no function {request.function!r}")
    value = function(*_arguments(function, request))
    if inspect.iscoroutine(value):
        value = asyncio.run(value)
    return _as_json(value, f"{request.entry}:{request.function}")


def _arguments(function: Callable[..., Any], request: Request) -> tuple[Any, ...]:
    """As many of (params, context) as the function takes."""
    parameters = inspect.signature(function).parameters.values()
    if any(parameter.kind is parameter.VAR_POSITIONAL for parameter in parameters):
        return request.params, request.context
    count = sum(parameter.kind in _POSITIONAL for parameter in parameters)
    # A third parameter without a default is the author's mistake; the call says so.
    return (request.params, request.context)[:count]


def _as_json(value: Any, name: str) -> str:
    try:
        text = json.dumps({"result": value}, ensure_ascii=False, allow_nan=False)
        text.encode()  # A lone surrogate is a str, but no Unicode text.
    except (TypeError, ValueError, RecursionError) as error:
        reason = "; ".join([str(error), *getattr(error, "__notes__", ())])
        _stop(f"{name} returned a {type(value).__name__} that is not JSON: {reason}")
    return text


def _stop(message: str) -> NoReturn:
    print(message, file=sys.stderr)
    raise SystemExit(1)
