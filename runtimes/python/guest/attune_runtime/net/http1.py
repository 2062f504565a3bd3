"""The heads of HTTP/1.1 messages: what clients write, and what they get to read.

Strict, because the host sends what is understood here and nothing else: a request that two
readers could understand in two ways is an error.
"""

import errno
import re
from collections.abc import Iterable
from http import HTTPStatus
from typing import NamedTuple, NoReturn

# Without a limit a client could fill the memory.
MAX_HEAD = 256 << 10
# wasmtime ends the instance at 128 KiB of fields, and counts 72 bytes for each beside its text.
_MAX_FIELDS = 120 << 10
_FIELD_COST = 80

Field = tuple[str, bytes]

_TOKEN = rb"[!#$%&'*+.^_`|~0-9A-Za-z-]+"
_REQUEST_LINE = re.compile(rb"(%s) ([!-~\x80-\xff]+) HTTP/1\.([01])" % _TOKEN)
_FIELD_LINE = re.compile(rb"(%s):[ \t]*(.*?)[ \t]*" % _TOKEN, re.DOTALL)
_NOT_IN_VALUE = re.compile(rb"[\x00-\x08\x0a-\x1f\x7f]")
_BEGINNING = re.compile(rb"%s( [^\r\n]*\r?)?" % _TOKEN)

# About one connection only, or for the host to say. `attune-*` is how the host is spoken to.
_NOT_SENT = frozenset(
    """
    connection expect host http2-settings keep-alive proxy-authorization proxy-connection te
    transfer-encoding upgrade
    """.split()
)
_NOT_TOLD = frozenset("connection keep-alive proxy-connection transfer-encoding upgrade".split())
_FOR_THE_HOST = "attune-"

_BODILESS = (204, 304)
_REASONS = {status.value: status.phrase for status in HTTPStatus}
_DEFAULT_PORTS = {"http": 80, "https": 443}


class Request(NamedTuple):
    """The head of a request, understood."""

    method: str
    path: str
    fields: list[Field]
    # The length of the body that follows; None if it comes in chunks.
    length: int | None
    # Whether the client expects the connection to end with the response.
    closes: bool
    old: bool  # HTTP/1.0, which knows no chunks
    waits_for_continue: bool


class Peer(NamedTuple):
    """Where a connection leads."""

    scheme: str
    host: str
    port: int

    @property
    def authority(self) -> str:
        host = f"[{self.host}]" if ":" in self.host else self.host
        return f"{host}:{self.port}"

    def is_named(self, authority: str) -> bool:
        """Whether a `Host` field or an absolute target means this peer."""
        host, port = _split_authority(authority.lower().rstrip("."))
        own = self.host.lower().strip("[]").rstrip(".")
        return host.rstrip(".") == own and (port or _DEFAULT_PORTS[self.scheme]) == self.port


def could_begin_a_request(data: bytes) -> bool:
    """Whether bytes, of which there is at least one, are a request as far as they go."""
    line, newline, _ = data.partition(b"\n")
    form = _REQUEST_LINE if newline else _BEGINNING
    return form.fullmatch(line.removesuffix(b"\r") if newline else line) is not None


def parse_request(head: bytes, peer: Peer) -> Request:
    """Understand a head, without the empty line that ends it."""
    first, *lines = head.split(b"\r\n")
    line = _REQUEST_LINE.fullmatch(first)
    if line is None:
        _invalid(f"not a request line of HTTP/1.1: {first[:100]!r}")
    method, target, minor = line.groups()
    fields = [_parse_field(line) for line in lines]
    options = _tokens(fields, "connection")
    old = minor == b"0"
    path = _path(method, target.decode("latin-1"), peer)
    _refuse_upgrade(fields)
    _check_host(fields, peer)
    sent = [field for field in fields if _is_sent(field[0])]
    if sum(len(name) + len(value) + _FIELD_COST for name, value in sent) > _MAX_FIELDS:
        raise OSError(errno.EMSGSIZE, "the head of the request is too large")
    return Request(
        method=method.decode(),
        path=path,
        fields=sent,
        length=_body_length(fields),
        closes=old or "close" in options,
        old=old,
        waits_for_continue="100-continue" in _tokens(fields, "expect"),
    )


def _parse_field(line: bytes) -> Field:
    field = _FIELD_LINE.fullmatch(line)
    if field is None or _NOT_IN_VALUE.search(field[2]):
        _invalid(f"not a header field: {line[:100]!r}")
    return field[1].decode().lower(), field[2]


def _is_sent(name: str) -> bool:
    return name not in _NOT_SENT and not name.startswith(_FOR_THE_HOST)


def _values(fields: Iterable[Field], name: str) -> list[str]:
    return [value.decode("latin-1") for key, value in fields if key == name]


def _tokens(fields: Iterable[Field], name: str) -> list[str]:
    """The items of a field that is a list."""
    joined = ",".join(_values(fields, name)).lower()
    return [item.strip() for item in joined.split(",") if item.strip()]


def _body_length(fields: list[Field]) -> int | None:
    codings = _tokens(fields, "transfer-encoding")
    lengths = set(_tokens(fields, "content-length"))
    if codings and (lengths or codings != ["chunked"]):
        _invalid("Content-Length and Transfer-Encoding contradict each other, or are not known")
    if codings:
        return None
    if len(lengths) > 1 or not all(length.isascii() and length.isdigit() for length in lengths):
        _invalid("Content-Length is not one number")
    return int(lengths.pop()) if lengths else 0


def _refuse_upgrade(fields: list[Field]) -> None:
    if _tokens(fields, "upgrade"):
        _refuse("a connection cannot change its protocol (Upgrade, websockets)")


def _check_host(fields: list[Field], peer: Peer) -> None:
    hosts = _values(fields, "host")
    if len(hosts) > 1:
        _invalid("more than one Host field")
    if hosts and hosts[0] and not peer.is_named(hosts[0]):
        _refuse(
            f"the Host field says {hosts[0]!r}, but the connection leads to {peer.authority!r}: "
            "requests go to the address that was connected to, under its name"
        )


def _path(method: bytes, target: str, peer: Peer) -> str:
    if method == b"CONNECT":
        _refuse("proxies (CONNECT) are not available")
    if target.startswith("/") or (method == b"OPTIONS" and target == "*"):
        return target
    scheme, separator, rest = target.partition("://")
    authority, slash, path = rest.partition("/")
    if not separator or scheme.lower() not in _DEFAULT_PORTS:
        _invalid(f"not a request target: {target[:100]!r}")
    if scheme.lower() != peer.scheme or not peer.is_named(authority):
        _refuse(f"proxies are not available: {target[:100]!r} was asked of {peer.authority!r}")
    return slash + path or "/"


def _split_authority(authority: str) -> tuple[str, int]:
    """Host and port; the port is 0 if there is none, -1 if it is no number."""
    host, colon, port = authority.rpartition(":")
    if not colon or "]" in port:
        host, port = authority, ""
    number = int(port) if port.isascii() and port.isdigit() else -1
    return host.strip("[]"), number if port else 0


def _invalid(what: str) -> NoReturn:
    raise OSError(errno.EINVAL, f"this request cannot be sent: {what}")


def _refuse(what: str) -> NoReturn:
    raise PermissionError(errno.EACCES, f"not available in Attune's Python sandbox: {what}")


class Response(NamedTuple):
    """The head of a response as the client reads it, and what to expect of its body."""

    head: bytes
    # Bytes of the body; None if only its end tells.
    length: int | None
    chunked: bool


def response(request: Request, status: int, fields: list[Field]) -> Response:
    """Write the head of a response so that its body can follow on the same connection."""
    length: int | None = 0 if request.method == "HEAD" or status in _BODILESS else None
    if length is None:
        length = _told_length(fields)
    chunked = length is None and not request.old
    lines = [f"HTTP/1.1 {status} {_REASONS.get(status, '')}".encode()]
    lines += [name.encode() + b": " + value for name, value in fields if name not in _NOT_TOLD]
    if chunked:
        lines.append(b"transfer-encoding: chunked")
    if request.closes:
        lines.append(b"connection: close")
    return Response(b"\r\n".join([*lines, b"", b""]), length, chunked)


def _told_length(fields: list[Field]) -> int | None:
    lengths = set(_tokens(fields, "content-length"))
    length = lengths.pop() if len(lengths) == 1 else ""
    return int(length) if length.isascii() and length.isdigit() else None
