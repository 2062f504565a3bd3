"""The C half of `socket`: the class that `socket.socket` extends, over our connections.

The library's own `socket.py` does the rest, as it does over CPython's `_socket`: files,
`create_connection`, reference counts, `repr`.
"""

import _socket
import errno
import importlib
import os
import sys
import types
from collections.abc import Buffer, Iterable
from typing import Any, NoReturn

from . import descriptors, resolver
from .connection import READ, WRITE, Connection
from .waiting import Deadline

Address = tuple[Any, ...]

_FAMILIES = (_socket.AF_INET, _socket.AF_INET6)
_FLAGS = getattr(_socket, "SOCK_NONBLOCK", 0) | getattr(_socket, "SOCK_CLOEXEC", 0)
_PEEK = getattr(_socket, "MSG_PEEK", 0)
_BUFFER_SIZE = 64 << 10

_default_timeout: float | None = None


def _fail(number: int, text: str | None = None) -> NoReturn:
    raise OSError(number, text or os.strerror(number))


def refuse(what: str) -> NoReturn:
    text = f"{what} not available in Attune's Python sandbox, which has HTTP and HTTPS requests"
    raise PermissionError(errno.EACCES, text)


class Socket:
    """`_socket.socket`, as far as a client of HTTP needs one."""

    # `socket.socket` declares slots of its own, and `__weakref__` among them. And `ssl.SSLSocket`
    # has attributes of its own (`_connected`, …), so the names here have to be others.
    __slots__ = ("_can_read", "_can_write", "_connection", "_family", "_type", "proto", "timeout")

    def __init__(
        self,
        family: int = -1,
        type: int = -1,  # noqa: A002
        proto: int = -1,
        fileno: int | None = None,
    ) -> None:
        self._family = _socket.AF_INET if family == -1 else int(family)
        self._type = (_socket.SOCK_STREAM if type == -1 else int(type)) & ~_FLAGS
        self.proto = max(proto, 0)
        self.timeout = _default_timeout
        self._can_read = self._can_write = True
        self._connection: Connection | None = None
        if self._family not in _FAMILIES:
            _fail(errno.EAFNOSUPPORT)
        if self._type != _socket.SOCK_STREAM:
            refuse("datagrams (UDP) and raw sockets are")
        if fileno is None:
            self._connection = Connection(self._family)
        else:
            self._connection = _attach(fileno)
            self._family = self._connection.family

    @property
    def family(self) -> int:
        return self._family

    @property
    def type(self) -> int:
        return self._type

    def _held(self) -> Connection:
        """The connection, of a socket that is not closed."""
        if self._connection is None:
            _fail(errno.EBADF)
        return self._connection

    def _to_peer(self) -> Connection:
        connection = self._connection
        if connection is None:
            _fail(errno.EBADF)
        if connection.peer is None:
            _fail(errno.ENOTCONN)
        return connection

    # Connecting.

    def connect(self, address: Address) -> None:
        connection = self._held()
        if connection.peer is not None:
            _fail(errno.EISCONN if connection.opened() else errno.EALREADY)
        host, port = _checked(address)
        connection.open(host, port)
        if self.timeout == 0.0:
            if not connection.opened():
                _fail(errno.EINPROGRESS)
        else:
            wait_until_opened(connection, self.timeout, "timed out")

    def connect_ex(self, address: Address) -> int:
        try:
            self.connect(address)
        except OSError as error:
            if isinstance(error, _socket.gaierror) or error.errno is None:
                raise
            return error.errno
        return 0

    # Writing.

    def send(self, data: Buffer, flags: int = 0) -> int:
        return self._write(bytes_of(data))

    def sendall(self, data: Buffer, flags: int = 0) -> None:
        rest = bytes_of(data)
        deadline = Deadline(self.timeout)
        while rest:
            rest = rest[self._write(rest, deadline) :]

    def sendmsg(
        self, buffers: Iterable[Buffer], ancdata: Any = (), flags: int = 0, address: Any = None
    ) -> int:
        return self.send(b"".join(buffers))

    def sendto(self, data: Buffer, *flags_and_address: Any) -> int:
        return self.send(data)

    def _write(self, data: memoryview, deadline: Deadline | None = None) -> int:
        connection = self._to_peer()
        if not self._can_write:
            _fail(errno.EPIPE)
        while True:
            taken = connection.write(data)
            if taken or not data:
                return taken
            if self.timeout == 0.0:
                _fail(errno.EAGAIN)
            # Not made before: nearly every write is taken at once.
            deadline = deadline or Deadline(self.timeout)
            deadline.wait(connection.pollables(WRITE))

    # Reading.

    def recv(self, bufsize: int, flags: int = 0) -> bytes:
        if bufsize < 0:
            raise ValueError("negative buffersize in recv")
        connection = self._to_peer()
        if not self._can_read or bufsize == 0:
            return b""
        read = connection.peek if flags & _PEEK else connection.read
        deadline = Deadline(self.timeout)
        if connection.awaits_answer and self.timeout != 0.0:
            # To look first would be a call of the host in vain.
            deadline.wait(connection.pollables(READ))
        while (data := read(bufsize)) is None:
            if self.timeout == 0.0:
                _fail(errno.EAGAIN)
            if pollables := connection.pollables(READ):
                deadline.wait(pollables)
            else:
                connection.expire()
        return data

    def recv_into(self, buffer: Buffer, nbytes: int = 0, flags: int = 0) -> int:
        with bytes_of(buffer) as view:
            data = self.recv(nbytes or len(view), flags)
            view[: len(data)] = data
        return len(data)

    def recvfrom(self, bufsize: int, flags: int = 0) -> tuple[bytes, Address | None]:
        return self.recv(bufsize, flags), None

    def recvfrom_into(
        self, buffer: Buffer, nbytes: int = 0, flags: int = 0
    ) -> tuple[int, Address | None]:
        return self.recv_into(buffer, nbytes, flags), None

    # Options and addresses.

    def settimeout(self, value: float | None) -> None:
        if value is not None and value < 0:
            raise ValueError("Timeout value out of range")
        self.timeout = None if value is None else float(value)

    def gettimeout(self) -> float | None:
        return self.timeout

    def setblocking(self, flag: bool) -> None:
        self.timeout = None if flag else 0.0

    def getblocking(self) -> bool:
        return self.timeout != 0.0

    def setsockopt(self, *level_option_value: Any) -> None:
        """The connections of the network are the host's: there is nothing here to set."""
        self._held()

    def getsockopt(self, level: int, option: int, buflen: int = 0) -> int | bytes:
        connection = self._held()
        value = 0
        if level == _socket.SOL_SOCKET and option == _socket.SO_TYPE:
            value = self._type
        elif level == _socket.SOL_SOCKET and option == _socket.SO_ERROR:
            value = _pending_error(connection)
        return value.to_bytes(buflen, "little") if buflen else value

    def getpeername(self) -> Address:
        peer = self._to_peer().peer
        assert peer
        return self._address(peer.host, peer.port)

    def getsockname(self) -> Address:
        self._held()
        return self._address("::" if self._family == _socket.AF_INET6 else "0.0.0.0", 0)

    def _address(self, host: str, port: int) -> Address:
        return (host, port, 0, 0) if self._family == _socket.AF_INET6 else (host, port)

    def fileno(self) -> int:
        return self._connection.descriptor if self._connection else -1

    # Serving: a request of an action is answered, but nobody calls it.

    def bind(self, address: Address) -> None:
        # Clients that want any free port ask for port 0, and get nothing by it.
        if address[1] != 0:
            refuse("sockets with a port of their own are")

    def listen(self, backlog: int = 0) -> NoReturn:
        refuse("sockets that listen are")

    def _accept(self) -> NoReturn:
        refuse("sockets that listen are")

    # Ending.

    def shutdown(self, how: int) -> None:
        self._to_peer()
        self._can_read = self._can_read and how == _socket.SHUT_WR
        self._can_write = self._can_write and how == _socket.SHUT_RD

    def close(self) -> None:
        connection, self._connection = self._connection, None
        if connection:
            connection.close()

    def detach(self) -> int:
        connection, self._connection = self._held(), None
        descriptors.detach(connection.descriptor)
        return connection.descriptor


def wait_until_opened(connection: Connection, timeout: float | None, message: str) -> None:
    deadline = Deadline(timeout)
    try:
        while not connection.opened():
            deadline.wait(connection.pollables(WRITE), message)
    except TimeoutError:
        connection.close()
        raise


def _attach(fileno: int) -> Connection:
    connection = descriptors.attach(fileno)
    if connection is None:
        _fail(errno.EBADF)
    return connection


def _checked(address: Address) -> tuple[str, int]:
    host, port = address[:2]
    if not isinstance(port, int):
        raise TypeError(f"an integer is required (got type {type(port).__name__})")
    if not 0 <= port <= 0xFFFF:
        raise OverflowError("connect(): port must be 0-65535.")
    return resolver.name_of(host), port


def _pending_error(connection: Connection) -> int:
    try:
        connection.opened()
    except OSError as error:
        return error.errno or errno.EIO
    return 0


def bytes_of(data: Buffer) -> memoryview:
    """A view of plain bytes. A cast costs more than to see that none is needed."""
    view = memoryview(data)
    return view if view.format == "B" and view.ndim == 1 else view.cast("B")


def _get_default_timeout() -> float | None:
    return _default_timeout


def _set_default_timeout(timeout: float | None) -> None:
    global _default_timeout
    _default_timeout = None if timeout is None else float(timeout)


def _close(fileno: int) -> None:
    _attach(fileno).close()


def _no_pair(*args: Any) -> NoReturn:
    refuse("pairs of sockets are")


def install() -> None:
    """Have `socket.py` imported over this, in the place of CPython's `_socket`.

    That one comes back afterwards, as it is: what it can reach is for the host to refuse.
    """
    original = sys.modules["_socket"]
    module = types.ModuleType("_socket", __doc__)
    vars(module).update(vars(original))
    module.socket = module.SocketType = Socket
    module.getdefaulttimeout = _get_default_timeout
    module.setdefaulttimeout = _set_default_timeout
    module.close = _close
    module.socketpair = _no_pair
    for function in resolver.FUNCTIONS:
        setattr(module, function.__name__, function)
    sys.modules["_socket"] = module
    importlib.import_module("socket")
    sys.modules["_socket"] = original


def forget() -> None:
    _set_default_timeout(None)
    descriptors.forget()
