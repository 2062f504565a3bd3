"""Errors in the places where a script runs into what `missing.py` lists."""

import _thread
import errno
import importlib.abc
import subprocess
import sys
import threading
import types
from collections.abc import Callable, Sequence
from typing import Any, NoReturn

from . import missing


def install() -> None:
    """Have the modules, attributes and calls that are missing say so."""
    sys.meta_path.append(_Signpost())
    for module in missing.ATTRIBUTES:
        module.__getattr__ = _lookup(module)
    subprocess.Popen.__init__ = refuse_process
    threading._start_joinable_thread = refuse_thread
    _thread.start_joinable_thread = _thread.start_new_thread = _thread.start_new = refuse_thread


def refuse_thread(*args: Any, **kwargs: Any) -> NoReturn:
    raise RuntimeError(missing.message(missing.THREADS))


def refuse_process(*args: Any, **kwargs: Any) -> NoReturn:
    # An OSError, as CPython has it here: callers such as `platform` know what to do then.
    raise OSError(errno.ENOTSUP, missing.message(missing.PROCESSES))


class _Signpost(importlib.abc.MetaPathFinder):
    """Asked last, so a pack may still bring a module of its own under such a name."""

    def find_spec(
        self,
        fullname: str,
        path: Sequence[str] | None,
        target: types.ModuleType | None = None,
    ) -> None:
        if fullname in missing.MODULES:
            text = missing.message(missing.MODULES[fullname], fullname)
            raise ModuleNotFoundError(text, name=fullname)


def _lookup(module: types.ModuleType) -> Callable[[str], NoReturn]:
    """A module's `__getattr__`: `hasattr` stays False, as libraries probe with it."""
    features = missing.ATTRIBUTES[module]

    def lookup(name: str) -> NoReturn:
        if name in features:
            text = missing.message(features[name], f"{module.__name__}.{name}")
        else:
            text = f"module {module.__name__!r} has no attribute {name!r}"
        raise AttributeError(text, name=name, obj=module)

    return lookup
