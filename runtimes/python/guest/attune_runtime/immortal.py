"""Finds the objects of the snapshot, so that no run counts references to them.

A reference count is written whenever an object is used, and the first write to a page of
the snapshot is a fault and a copy: more than half of the pages that a run wrote to held
nothing else. CPython knows immortal objects, whose counts stay as they are (PEP 683), but
makes nobody else's so. So this keeps every object there is and leaves a note of where, and
`immortal_objects.py` writes the counts into the finished component.
"""

import gc
import struct
import types
from typing import Any

NOTE = b"attune: objects of the snapshot "

# A bit for each place where an object can begin, below 64 MiB.
_GRAIN_BITS = 3
_PLACES = (64 << 20) >> _GRAIN_BITS

# Held by code objects, which the garbage collector does not look into.
_PARTS_OF_CODE = (
    "co_consts",
    "co_names",
    "co_filename",
    "co_name",
    "co_qualname",
    "co_linetable",
    "co_exceptiontable",
)


class Kept:
    """All objects that could be reached; they cannot go away while it is there."""

    def __init__(self) -> None:
        self._objects = _reachable()
        # Where the list is, said twice, so that nothing else can be taken for the note.
        place = id(self._objects)
        self._note = NOTE + struct.pack("<II", place, ~place & 0xFFFFFFFF)


def _reachable() -> list[Any]:
    found = gc.get_objects()
    seen = bytearray(_PLACES >> 3)
    for known in found:
        _see(seen, known)
    for known in found:  # It grows meanwhile.
        for referent in gc.get_referents(known):
            if _see(seen, referent):
                found.append(referent)
        if isinstance(known, types.CodeType):
            found += [part for name in _PARTS_OF_CODE if _see(seen, part := getattr(known, name))]
    return found


def _see(seen: bytearray, known: object) -> bool:
    """Whether it is seen for the first time."""
    place = id(known) >> _GRAIN_BITS
    index, bit = place >> 3, 1 << (place & 7)
    if seen[index] & bit:
        return False
    seen[index] |= bit
    return True
