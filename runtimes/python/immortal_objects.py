"""Makes the objects of a snapshot immortal: no run writes to them just to count references.

The guest's `immortal.py` has kept the objects and left a note of where they are; here their
reference counts are written into the component's memory image. The layout is that of
CPython 3.14 on 32 bits (`Include/refcount.h`, `Include/cpython/listobject.h`).
"""

import bisect
import struct
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

# As in the guest's `immortal.py`, which only a guest can import.
NOTE = b"attune: objects of the snapshot "

# _Py_IMMORTAL_INITIAL_REFCNT and _Py_IMMORTAL_MINIMUM_REFCNT
_IMMORTAL = 5 << 28
_IMMORTAL_FROM = 1 << 30
# No object of a build is referred to so often: what claims to be is no object.
_MOST_REFERENCES = 1 << 20

# PyListObject: reference count, type, size, items.
_LIST = struct.Struct("<IIII")
_WORD = struct.Struct("<I")

# The WebAssembly binary format.
_PREAMBLE = 8
_COMPONENT_SECTION_MODULE = 1
_MODULE_SECTION_DATA = 11
_ACTIVE_IN_MEMORY_0 = 0
_I32_CONST = 0x41
_END = 0x0B


def make_immortal(component: Path) -> int:
    """Change the component in place; return how many objects are immortal now."""
    image = Image(bytearray(component.read_bytes()))
    count = 0
    for place in _objects(image):
        (references,) = _WORD.unpack_from(image.memory, place)
        if references >= _IMMORTAL_FROM:
            continue
        if not 0 < references < _MOST_REFERENCES:
            raise ValueError(f"at {place:#x} is no object: {references} references")
        image.set_word(place, _IMMORTAL)
        count += 1
    component.write_bytes(image.content)
    return count


def _objects(image: "Image") -> tuple[int, ...]:
    _, _, size, items = _LIST.unpack_from(image.memory, _noted_place(image.memory))
    return struct.unpack_from(f"<{size}I", image.memory, items)


def _noted_place(memory: bytearray) -> int:
    start = memory.find(NOTE)
    while start >= 0:
        place, again = struct.unpack_from("<II", memory, start + len(NOTE))
        if place == ~again & 0xFFFFFFFF:
            return int(place)
        start = memory.find(NOTE, start + 1)
    raise ValueError("the guest has left no note of its objects")


class Image:
    """The initial memory of a component, and where it is stored in the component's bytes."""

    def __init__(self, content: bytearray) -> None:
        self.content = content
        self._segments = sorted(_segments(content))
        self._addresses = [segment.address for segment in self._segments]
        last = self._segments[-1]
        self.memory = bytearray(last.address + last.length)
        for address, position, length in self._segments:
            self.memory[address : address + length] = content[position : position + length]

    def set_word(self, address: int, value: int) -> None:
        """Write to the component's bytes. Long stretches of zeros have no place there."""
        segment = self._segments[bisect.bisect_right(self._addresses, address) - 1]
        offset = address - segment.address
        if offset + _WORD.size > segment.length:
            raise ValueError(f"the word at {address:#x} is not stored")
        _WORD.pack_into(self.content, segment.position + offset, value)


class Segment(NamedTuple):
    """A stretch of memory that is stored at a position in the component."""

    address: int
    position: int
    length: int


def _segments(content: bytearray) -> Iterator[Segment]:
    for kind, start, end in _sections(content, 0, len(content)):
        if kind == _COMPONENT_SECTION_MODULE:
            for inner, data, _ in _sections(content, start, end):
                if inner == _MODULE_SECTION_DATA:
                    yield from _data_segments(content, data)


def _sections(content: bytearray, start: int, end: int) -> Iterator[tuple[int, int, int]]:
    """The kind, start and end of each section of a component or module."""
    position = start + _PREAMBLE
    while position < end:
        kind = content[position]
        length, position = _unsigned(content, position + 1)
        yield kind, position, position + length
        position += length


def _data_segments(content: bytearray, position: int) -> Iterator[Segment]:
    count, position = _unsigned(content, position)
    for _ in range(count):
        if tuple(content[position : position + 2]) != (_ACTIVE_IN_MEMORY_0, _I32_CONST):
            raise ValueError("a data segment without a constant address")
        address, position = _unsigned(content, position + 2)
        if content[position] != _END:
            raise ValueError("a data segment whose address is computed")
        length, position = _unsigned(content, position + 1)
        yield Segment(address, position, length)
        position += length


def _unsigned(content: bytearray, position: int) -> tuple[int, int]:
    """A number in LEB128, and the position behind it. Addresses are signed there, but positive."""
    value = shift = 0
    while True:
        byte = content[position]
        position += 1
        value |= (byte & 0x7F) << shift
        shift += 7
        if byte < 0x80:
            return value, position
