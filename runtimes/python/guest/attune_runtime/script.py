"""The script contract: a file is run as `python3 file.py` would run it."""

import builtins
import importlib.machinery
import io
import marshal
import sys
import types
import warnings

from . import process

MODULE = "__main__"


def execute(path: str, compiled: bytes) -> int:
    """Run the file to its end; the exit code of a normal end is 0."""
    run_as(MODULE, path, compiled)
    return 0


def compiled(path: str) -> bytes:
    """The code of a file for `run_as`; empty if compiling it fails, or warns."""
    try:
        with warnings.catch_warnings(record=True) as said:
            code = _compile(path)
    except Exception:  # The run will raise it where it is reported.
        return b""
    return b"" if said else marshal.dumps(code)


def run_as(name: str, path: str, compiled: bytes) -> types.ModuleType:
    """Execute a file as the module `name`, which `sys.modules` then holds."""
    code = marshal.loads(compiled) if compiled else _compile_or_stop(path)
    module = types.ModuleType(name)
    module.__file__ = path
    module.__loader__ = importlib.machinery.SourceFileLoader(name, path)
    vars(module)["__builtins__"] = builtins
    sys.modules[name] = module
    exec(code, vars(module))
    return module


def _compile(path: str) -> types.CodeType:
    with io.FileIO(path) as file:  # Unbuffered: it is read at once.
        source = file.readall()
    # Bytes, so that `compile` sees their encoding declaration.
    return compile(source, path, "exec", dont_inherit=True)


def _compile_or_stop(path: str) -> types.CodeType:
    try:
        return _compile(path)
    except OSError as error:
        print(f"python: can't open file {path!r}: {error}", file=sys.stderr)
        raise SystemExit(process.EXIT_CANNOT_OPEN) from None
