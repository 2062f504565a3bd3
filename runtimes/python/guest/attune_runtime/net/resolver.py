"""Names stay names: the host resolves them when it connects, and checks what comes of it.

So `getaddrinfo` answers with an address that holds the name, and `gethostbyname` with the name
itself. Whether there is such a host is seen when somebody connects.
"""

import _socket
import errno
import ipaddress
import re
from typing import Any, NoReturn

_PORTS = {"http": 80, "https": 443}
_NAME = re.compile(r"[A-Za-z0-9_]([A-Za-z0-9_.-]{0,252}[A-Za-z0-9_.-])?")

_NUMERIC_HOST = getattr(_socket, "AI_NUMERICHOST", 4)
_PASSIVE = getattr(_socket, "AI_PASSIVE", 1)


def name_of(host: str | bytes | bytearray) -> str:
    """A host as it is told to the host: an address, or a name in ASCII."""
    try:
        text = host if isinstance(host, str) else bytes(host).decode("ascii")
        text = text.partition("%")[0] if ":" in text else text
        if _version(text) == 0 and not text.isascii():
            text = text.encode("idna").decode()
    except UnicodeError:
        _unknown()
    if _version(text) == 0 and not _NAME.fullmatch(text):
        _unknown()
    return text


def _version(text: str) -> int:
    """4 or 6 for an address, 0 for a name."""
    try:
        return ipaddress.ip_address(text).version
    except ValueError:
        return 0


def _unknown() -> NoReturn:
    raise _socket.gaierror(_socket.EAI_NONAME, "Name or service not known")


def getaddrinfo(
    host: str | bytes | None,
    port: str | bytes | int | None,
    family: int = 0,
    type: int = 0,  # noqa: A002
    proto: int = 0,
    flags: int = 0,
) -> list[tuple[int, int, int, str, tuple[Any, ...]]]:
    """One address, which holds the name."""
    number = _port(port)
    if host is None or host == "":
        host = "0.0.0.0" if flags & _PASSIVE else "127.0.0.1"
    name = name_of(host)
    version = _version(name)
    found = _socket.AF_INET6 if version == 6 else _socket.AF_INET
    if version == 0:
        found = family or found
    if (family and family != found) or (version == 0 and flags & _NUMERIC_HOST):
        _unknown()
    address = (name, number, 0, 0) if found == _socket.AF_INET6 else (name, number)
    return [(found, type or _socket.SOCK_STREAM, proto or _socket.IPPROTO_TCP, "", address)]


def _port(port: str | bytes | int | None) -> int:
    if isinstance(port, bytes):
        port = port.decode("ascii", "replace")
    if isinstance(port, str):
        if port not in _PORTS and not port.isdigit():
            raise _socket.gaierror(_socket.EAI_SERVICE, "Servname not supported for ai_socktype")
        return _PORTS.get(port) or int(port)
    return port or 0


def gethostbyname(host: str) -> str:
    return name_of(host)


def gethostbyname_ex(host: str) -> tuple[str, list[str], list[str]]:
    name = name_of(host)
    return name, [], [name]


def getnameinfo(address: tuple[Any, ...], flags: int) -> tuple[str, str]:
    return str(address[0]), str(address[1])


def gethostbyaddr(host: str) -> NoReturn:
    raise PermissionError(
        errno.EACCES, "names of addresses are not available in Attune's Python sandbox"
    )


FUNCTIONS = (getaddrinfo, gethostbyname, gethostbyname_ex, getnameinfo, gethostbyaddr)
