"""How TLS begins on a connection: the host does it, and here it is asked for.

A `Handshake` says what is wanted and learns what came of it. A socket can be handed one. But
asyncio and anyio run TLS over bytes of their own, which they carry to a socket and back; so
there it is announced and answered in those bytes: a line that names the handshake, and another
when it is over. Everything behind passes as it is.
"""

import itertools
import weakref
from collections.abc import Iterator

# The first byte of TLS is 0x16 as well, and no request begins with it.
PREFACE = b"\x16attune-tls "
ANSWER = b"\x16attune-tls over\n"
_MAX_PREFACE = 64


class Handshake:
    """One TLS handshake: with whom, how strictly, and its outcome."""

    def __init__(self, server_name: str | None, insecure: bool) -> None:
        self.server_name = server_name
        self.insecure = insecure
        self.error: OSError | None = None
        self.number = next(_numbers)

    def preface(self) -> bytes:
        """The line that asks for this handshake."""
        _announced[self.number] = self
        return b"%b%d\n" % (PREFACE, self.number)


_numbers: Iterator[int] = itertools.count(1)
_announced: "weakref.WeakValueDictionary[int, Handshake]" = weakref.WeakValueDictionary()


def could_be_preface(data: bytes) -> bool:
    return PREFACE.startswith(data[: len(PREFACE)]) and len(data) < _MAX_PREFACE


def announced(line: bytes) -> Handshake | None:
    number = line.removeprefix(PREFACE).strip()
    return _announced.get(int(number)) if number.isdigit() else None


def forget() -> None:
    global _numbers
    if _announced:
        _announced.clear()
    _numbers = itertools.count(1)
