"""`_ssl._SSLSocket`: one TLS connection, of which only the handshake is ours to ask for.

What `ssl.SSLSocket` and `ssl.SSLObject` do, they do through these: the former over one of our
sockets, the latter over bytes in memory that somebody carries to one.
"""

import errno
import os
import weakref
from typing import TYPE_CHECKING, Any, NoReturn

from . import handshake, tls_errors
from .handshake import Handshake
from .sockets import Socket, bytes_of, wait_until_opened

if TYPE_CHECKING:
    from .tls_context import _SSLContext

_TIMED_OUT = "The {} operation timed out"


class MemoryBIO:
    """`ssl.MemoryBIO`: a queue of bytes with an end."""

    def __init__(self) -> None:
        self._data = bytearray()
        self._ended = False

    def read(self, size: int = -1) -> bytes:
        count = len(self._data) if size is None or size < 0 else size
        data = bytes(self._data[:count])
        del self._data[:count]
        return data

    def write(self, data: Any) -> int:
        if self._ended:
            raise tls_errors.failed("cannot write() after write_eof()")
        before = len(self._data)
        self._data += data
        return len(self._data) - before

    def write_eof(self) -> None:
        self._ended = True

    @property
    def pending(self) -> int:
        return len(self._data)

    @property
    def eof(self) -> bool:
        return self._ended and not self._data


class _SSLSocket:
    """What both have in common: what is known of a connection whose TLS is the host's."""

    def __init__(self, context: "_SSLContext", wanted: Handshake, others: dict[str, Any]) -> None:
        self.context = context
        self.server_hostname = wanted.server_name
        self.server_side = False
        self.session = None
        self.session_reused = False
        self._wanted = wanted
        self._done = False
        owner = others.get("owner")
        self._owner = weakref.ref(owner) if owner is not None else None

    @property
    def owner(self) -> Any:
        return self._owner() if self._owner else None

    @owner.setter
    def owner(self, value: Any) -> None:
        self._owner = weakref.ref(value)

    def _read_into(self, data: bytes, buffer: Any) -> Any:
        if buffer is None:
            return data
        bytes_of(buffer)[: len(data)] = data
        return len(data)

    def getpeercert(self, binary_form: bool = False) -> Any:
        """The host keeps the certificate, so this is what there is of one not checked."""
        if not self._done:
            raise ValueError("handshake not done yet")
        return None if binary_form else {}

    def get_verified_chain(self) -> list[Any]:
        return []

    def get_unverified_chain(self) -> list[Any]:
        return []

    def selected_alpn_protocol(self) -> str | None:
        return self.context.chosen_protocol() if self._done else None

    def version(self) -> str | None:
        return "TLSv1.3" if self._done else None

    def cipher(self) -> tuple[str, str, int] | None:
        return ("TLS_OF_THE_HOST", "TLSv1.3", 128) if self._done else None

    def shared_ciphers(self) -> None:
        return None

    def compression(self) -> None:
        return None

    def get_channel_binding(self, cb_type: str = "tls-unique") -> None:
        return None

    def verify_client_post_handshake(self) -> NoReturn:
        raise NotImplementedError("client certificates are not available: TLS is the host's")


class OverSocket(_SSLSocket):
    """TLS over one of our sockets. Its own `read` and `write` go through here."""

    def __init__(
        self, context: "_SSLContext", wanted: Handshake, sock: Socket, others: dict[str, Any]
    ) -> None:
        super().__init__(context, wanted, others)
        # Weak, because the socket holds this.
        self._socket = weakref.ref(sock)
        self._begun = False

    def _open(self) -> Any:
        sock = self._socket()
        if sock is None or sock._connection is None:
            raise OSError(errno.EBADF, os.strerror(errno.EBADF))
        return sock

    def do_handshake(self) -> None:
        if self._done:
            return
        sock = self._open()
        if not self._begun:
            self._begun = True
            sock._connection.start_tls(self._wanted)
        if sock.timeout != 0.0:
            message = "_ssl.c: The handshake operation timed out"
            wait_until_opened(sock._connection, sock.timeout, message)
        elif not sock._connection.opened():
            raise tls_errors.want_read()
        self._done = True

    def read(self, length: int = 1024, buffer: Any = None) -> Any:
        if buffer is not None and (length <= 0 or length > len(buffer)):
            length = len(buffer)
        try:
            data = Socket.recv(self._open(), length)
        except BlockingIOError:
            raise tls_errors.want_read() from None
        except TimeoutError:
            raise TimeoutError(_TIMED_OUT.format("read")) from None
        return self._read_into(data, buffer)

    def write(self, data: Any) -> int:
        try:
            return Socket.send(self._open(), data)
        except BlockingIOError:
            raise tls_errors.want_write() from None
        except TimeoutError:
            raise TimeoutError(_TIMED_OUT.format("write")) from None

    def pending(self) -> int:
        return self._open()._connection.pending

    def shutdown(self) -> Any:
        return self._open()


class OverBytes(_SSLSocket):
    """TLS over two queues of bytes, whose other ends lead to one of our sockets."""

    def __init__(
        self,
        context: "_SSLContext",
        wanted: Handshake,
        incoming: MemoryBIO,
        outgoing: MemoryBIO,
        others: dict[str, Any],
    ) -> None:
        super().__init__(context, wanted, others)
        self._incoming = incoming
        self._outgoing = outgoing
        self._answer = b""
        self._begun = False

    def do_handshake(self) -> None:
        if self._done:
            return
        if not self._begun:
            self._begun = True
            self._outgoing.write(self._wanted.preface())
        self._answer += self._incoming.read(len(handshake.ANSWER) - len(self._answer))
        if not handshake.ANSWER.startswith(self._answer):
            raise tls_errors.failed("the other end is no connection of Attune's sandbox")
        if self._answer != handshake.ANSWER:
            if self._incoming.eof:
                raise tls_errors.ended()
            raise tls_errors.want_read()
        if self._wanted.error:
            raise self._wanted.error
        self._done = True

    def read(self, length: int = 1024, buffer: Any = None) -> Any:
        if buffer is not None and (length <= 0 or length > len(buffer)):
            length = len(buffer)
        data = self._incoming.read(length)
        if not data and length and not self._incoming.eof:
            raise tls_errors.want_read()
        return self._read_into(data, buffer)

    def write(self, data: Any) -> int:
        return self._outgoing.write(data)

    def pending(self) -> int:
        return self._incoming.pending

    def shutdown(self) -> None:
        return None
