"""Who owns the host's handles, and in which order they go back.

A host ends the instance that drops a handle while another that was made from it is still
there. The collector of cyclic garbage knows no such order, so every handle stays reachable
from here until its owner, or the owner's `__del__`, gives it back.
"""

from typing import Any

_open: set["Handles"] = set()


class Handles:
    """The handles of one exchange, in the order in which they were made."""

    def __init__(self) -> None:
        self._held: list[Any] = []
        _open.add(self)

    def hold(self, handle: Any) -> Any:
        self._held.append(handle)
        return handle

    def release(self, handle: Any) -> Any:
        """Stop holding it: it is about to be handed to the host."""
        self._held.remove(handle)
        return handle

    def drop(self, handle: Any) -> None:
        self.release(handle).__exit__(None, None, None)

    def drop_all(self) -> None:
        """Give all of them back, the newest first: it cannot have children."""
        _open.discard(self)
        while self._held:
            self._held.pop().__exit__(None, None, None)


def drop_everything() -> None:
    """For what a prime leaves behind."""
    for handles in list(_open):
        handles.drop_all()
