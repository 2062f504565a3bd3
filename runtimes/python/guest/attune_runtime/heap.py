"""Fills the gaps in the heap, so that what a run allocates lies side by side.

The build leaves a heap full of small gaps, and malloc reuses gaps first: a run would
write to one page of the snapshot for almost everything it allocates, and each first
write to a page is a fault and a copy. With the gaps taken, memory comes from the
untouched end of the heap, many objects to a page.

(CPython for WASI is built without its own allocator: every object is malloc's.)
"""

_GRAIN = 16  # The sizes of malloc's chunks are multiples of it.
_LARGEST = 256 << 10
# What a chunk holds beside the content of a `bytes`: malloc's own word, and the object's head.
_OVERHEAD = 4 + bytes.__basicsize__
# More gaps of one grain than there are; such a gap cannot be seen from here.
_SMALLEST_GAPS = 12_000


def _sizes() -> list[int]:
    """What to ask for, the largest first: a gap is filled by few large blocks."""
    sizes = []
    size = _LARGEST
    while size > 64 * _GRAIN:
        sizes.append(size)
        size = size * 7 // 8 // _GRAIN * _GRAIN
    sizes.extend(range(64 * _GRAIN, _GRAIN, -_GRAIN))
    return [size - _OVERHEAD for size in sizes]


# Kept: numbers that went away after the filling would leave gaps of their own.
_SIZES = _sizes()


def fill_gaps() -> list[object]:
    """Take every gap; they stay taken while the result is kept."""
    # Room is made in advance, for a list that grows leaves gaps.
    taken: list[object] = [None] * 500_000
    count = 0
    end = id(bytes(1 << 20))  # No gap is so large: here the untouched memory begins.
    for size in _SIZES:
        block = bytes(size)
        while id(block) < end:
            taken[count] = block
            count += 1
            block = bytes(size)
    for _ in range(_SMALLEST_GAPS):
        taken[count] = [None]  # One grain holds the item of a list, though no object.
        count += 1
    del taken[count:]
    return taken
