"""The script contract: a file is run as `python3 file.py` would run it."""

import builtins
import importlib.machinery
import io
import sys
import types

from . import process

MODULE = "__main__"


def execute(path: str) -> int:
    """Run the file to its end; the exit code of a normal end is 0."""
    run_as(MODULE, path)
    return 0


def run_as(name: str, path: str) -> types.ModuleType:
    """Execute a file as the module `name`, which `sys.modules` then holds."""
    code = compile(_read(path), path, "exec", dont_inherit=True)
    module = types.ModuleType(name)
    module.__file__ = path
    module.__loader__ = importlib.machinery.SourceFileLoader(name, path)
    vars(module)["__builtins__"] = builtins
    sys.modules[name] = module
    exec(code, vars(module))
    return module


def _read(path: str) -> bytes:
    """The source as bytes, so that `compile` sees its encoding declaration."""
    try:
        with io.FileIO(path) as file:  # Unbuffered: it is read at once.
            return file.readall()
    except OSError as error:
        print(f"python: can't open file {path!r}: {error}", file=sys.stderr)
        raise SystemExit(process.EXIT_CANNOT_OPEN) from None
