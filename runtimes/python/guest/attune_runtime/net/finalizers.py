"""What the host's handles have in the place of a `weakref.finalize`, which the bindings give them.

A request takes nine handles, and to make and to detach those objects was a fifth of what it
cost. Nor are they of use: `handles.py` says when each handle goes back, and neither the
collector nor the exit handlers of a script may do it before.
"""

import sys
import weakref
from collections.abc import Callable
from typing import Any

from wit_world.imports import types


class Finalizer:
    """How a handle is given back, for whoever asks."""

    __slots__ = ("_arguments", "_function")

    def __init__(self, handle: Any, function: Callable[..., None], *arguments: Any) -> None:
        self._function = function
        self._arguments = arguments

    def detach(self) -> tuple[None, Callable[..., None], tuple[Any, ...], None]:
        return None, self._function, self._arguments, None


class _ForPython:
    """`weakref` for the half of the bindings that is Python: they look at it each time."""

    finalize = Finalizer


class _ForTheRest:
    """`weakref` for the other half, which takes `finalize` from it once, after the last import of
    a build. That done, the real one is back.
    """

    def __getattr__(self, name: str) -> Any:
        if name != "finalize":
            return getattr(weakref, name)
        sys.modules["weakref"] = weakref
        return Finalizer


def install() -> None:
    """Must come after all imports of a build."""
    types.weakref = _ForPython
    sys.modules["weakref"] = _ForTheRest()  # type: ignore[assignment]
