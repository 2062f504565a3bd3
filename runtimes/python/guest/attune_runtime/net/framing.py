"""Where the bodies of requests begin and end in the bytes that a client writes.

A reader looks at the bytes in front: framing (the sizes of chunks) is taken by itself, and
what lies between is content, of which the host may take less than there is.
"""

import errno
from typing import NoReturn, Protocol

_MAX_LINE = 8 << 10


class Body(Protocol):
    """A body as it comes in."""

    def take_framing(self, data: memoryview) -> int:
        """Read framing at the front; how many bytes it was."""

    @property
    def available(self) -> int:
        """How many of the bytes in front belong to the content."""

    def take_content(self, count: int) -> None:
        """So many bytes of content went on their way."""

    @property
    def complete(self) -> bool: ...


class Counted:
    """A body whose length the head has told."""

    def __init__(self, length: int) -> None:
        self.available = length

    def take_framing(self, data: memoryview) -> int:
        return 0

    def take_content(self, count: int) -> None:
        self.available -= count

    @property
    def complete(self) -> bool:
        return self.available == 0


class Chunked:
    """A body in chunks, each behind its size. Trailers are read and dropped."""

    def __init__(self) -> None:
        self.available = 0
        self.complete = False
        self._line = bytearray()
        self._behind_chunk = False
        self._in_trailers = False

    def take_framing(self, data: memoryview) -> int:
        if self.available or self.complete:
            return 0
        newline = bytes(data[: _MAX_LINE + 1]).find(b"\n")
        taken = newline + 1 if newline >= 0 else len(data)
        self._line += data[:taken]
        if len(self._line) > _MAX_LINE:
            _invalid("the size of a chunk is too long")
        if newline >= 0:
            line = bytes(self._line)
            self._line.clear()
            self._take_line(line)
        return taken

    def _take_line(self, line: bytes) -> None:
        if not line.endswith(b"\r\n"):
            _invalid(f"not the end of a line: {line[-20:]!r}")
        if self._in_trailers:
            self.complete = line == b"\r\n"
        elif self._behind_chunk:
            if line != b"\r\n":
                _invalid(f"a chunk is longer than it says: {line[:20]!r}")
            self._behind_chunk = False
        else:
            self.available = _size(line)
            self._in_trailers = self.available == 0

    def take_content(self, count: int) -> None:
        self.available -= count
        self._behind_chunk = self.available == 0


def body(length: int | None) -> Body:
    return Chunked() if length is None else Counted(length)


def chunk(data: bytes) -> bytes:
    """Write a chunk; one without data ends the body."""
    return b"%x\r\n%b\r\n" % (len(data), data)


def _size(line: bytes) -> int:
    digits = line.partition(b";")[0].strip()
    if not digits or digits.strip(b"0123456789abcdefABCDEF"):
        _invalid(f"not the size of a chunk: {line[:20]!r}")
    return int(digits, 16)


def _invalid(what: str) -> NoReturn:
    raise OSError(errno.EINVAL, f"this request cannot be sent: {what}")
