"""The heads of HTTP/1.1 messages: what clients write, and what they get to read.

Strict, because the host sends what is understood here and nothing else: a request that two
readers could understand in two ways is an error.
"""

import errno
import re
from dataclasses import dataclass
from functools import cached_property
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
_FIELD_LINE = re.compile(rb"(%s):([^\x00-\x08\x0a-\x1f\x7f]*)" % _TOKEN)
_BEGINNING = re.compile(rb"%s( [^\r\n]*\r?)?" % _TOKEN)

ONLY_HTTP = "only HTTP/1.1, plain or over TLS, is available in Attune's Python sandbox"

# What is not only passed on.
_HEEDED = frozenset("connection content-length expect host transfer-encoding upgrade".split())
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
_STATUS_LINES = {
    status.value: f"HTTP/1.1 {status.value} {status.phrase}".encode() for status in HTTPStatus
}
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


class _Fields(NamedTuple):
    """The fields of a head, understood."""

    sent: list[Field]
    length: int | None
    closes: bool
    waits_for_continue: bool


@dataclass(frozen=True)
class Peer:
    """Where a connection leads."""

    scheme: str
    host: str
    port: int

    @cached_property
    def authority(self) -> str:
        host = f"[{self.host}]" if ":" in self.host else self.host
        return f"{host}:{self.port}"

    def is_named(self, authority: str) -> bool:
        """Whether a `Host` field or an absolute target means this peer."""
        host, port = _split_authority(authority.lower().rstrip("."))
        own = self.host.lower().strip("[]").rstrip(".")
        return host.rstrip(".") == own and (port or _DEFAULT_PORTS[self.scheme]) == self.port


class Requests:
    """Understands the heads of the requests that are sent to one peer."""

    def __init__(self, peer: Peer) -> None:
        self._peer = peer
        # Clients write the same fields again and again, and whole heads when they ask whether
        # something has happened by now.
        self._last: tuple[bytes, Request] | None = None
        self._last_fields: tuple[bytes, _Fields] | None = None

    def parse(self, data: bytearray, end: int) -> Request:
        """Understand a head, which ends there with an empty line."""
        head = bytes(data[:end])
        if self._last is None or self._last[0] != head:
            self._last = head, self._parse(head, data)
        return self._last[1]

    def _parse(self, head: bytes, data: bytearray) -> Request:
        first, _, lines = head.partition(b"\r\n")
        line = _REQUEST_LINE.fullmatch(first)
        if line is None:
            refuse_other_protocols(bytes(data))
            _invalid(f"not a request line of HTTP/1.1: {first[:100]!r}")
        method, target, minor = line.groups()
        path = _path(method, target.decode("latin-1"), self._peer)
        if self._last_fields is None or self._last_fields[0] != lines:
            self._last_fields = lines, _understood(lines, self._peer)
        sent, length, closes, waits_for_continue = self._last_fields[1]
        old = minor == b"0"
        return Request(method.decode(), path, sent, length, old or closes, old, waits_for_continue)


def refuse_other_protocols(data: bytes) -> None:
    """For bytes, of which there is at least one, that are no request as far as they go."""
    line, newline, _ = data.partition(b"\n")
    form = _REQUEST_LINE if newline else _BEGINNING
    if form.fullmatch(line.removesuffix(b"\r") if newline else line) is None:
        raise PermissionError(errno.EACCES, f"{ONLY_HTTP}: {data[:40]!r}")


def _understood(lines: bytes, peer: Peer) -> _Fields:
    sent: list[Field] = []
    heeded: dict[str, list[bytes]] = {}
    size = 0
    for line in lines.split(b"\r\n") if lines else ():
        name, value = _parse_field(line)
        if name in _HEEDED:
            heeded.setdefault(name, []).append(value)
        if name not in _NOT_SENT and not name.startswith(_FOR_THE_HOST):
            sent.append((name, value))
            size += len(name) + len(value) + _FIELD_COST
    if "upgrade" in heeded and _tokens(heeded["upgrade"]):
        _refuse("a connection cannot change its protocol (Upgrade, websockets)")
    _check_host(heeded.get("host", []), peer)
    if size > _MAX_FIELDS:
        raise OSError(errno.EMSGSIZE, "the head of the request is too large")
    return _Fields(
        sent=sent,
        length=_body_length(heeded),
        closes="close" in _tokens(heeded.get("connection")),
        waits_for_continue="100-continue" in _tokens(heeded.get("expect")),
    )


def _parse_field(line: bytes) -> Field:
    field = _FIELD_LINE.fullmatch(line)
    if field is None:
        _invalid(f"not a header field: {line[:100]!r}")
    return field[1].decode().lower(), field[2].strip(b" \t")


def _tokens(values: list[bytes] | None) -> list[str]:
    """The items of a field that is a list."""
    if not values:
        return []
    joined = b",".join(values).decode("latin-1").lower()
    return [item.strip() for item in joined.split(",") if item.strip()]


def _body_length(heeded: dict[str, list[bytes]]) -> int | None:
    codings = _tokens(heeded.get("transfer-encoding"))
    lengths = set(_tokens(heeded.get("content-length")))
    if codings and (lengths or codings != ["chunked"]):
        _invalid("Content-Length and Transfer-Encoding contradict each other, or are not known")
    if codings:
        return None
    if len(lengths) > 1 or not all(length.isascii() and length.isdigit() for length in lengths):
        _invalid("Content-Length is not one number")
    return int(lengths.pop()) if lengths else 0


def _check_host(hosts: list[bytes], peer: Peer) -> None:
    if len(hosts) > 1:
        _invalid("more than one Host field")
    host = hosts[0].decode("latin-1") if hosts else ""
    if host and not peer.is_named(host):
        _refuse(
            f"the Host field says {host!r}, but the connection leads to {peer.authority!r}: "
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
    lines = [_STATUS_LINES.get(status) or b"HTTP/1.1 %d " % status]
    lengths = []
    for name, value in fields:
        name = name.lower()
        if name not in _NOT_TOLD:
            lines.append(name.encode() + b": " + value)
        if name == "content-length":
            lengths.append(value)
    if request.method == "HEAD" or status in _BODILESS:
        length: int | None = 0
    else:
        length = _told_length(lengths)
    chunked = length is None and not request.old
    if chunked:
        lines.append(b"transfer-encoding: chunked")
    if request.closes:
        lines.append(b"connection: close")
    lines.append(b"\r\n")
    return Response(b"\r\n".join(lines), length, chunked)


def _told_length(lengths: list[bytes]) -> int | None:
    if len(lengths) == 1 and lengths[0].isdigit():
        return int(lengths[0])
    told = set(_tokens(lengths))
    length = told.pop() if len(told) == 1 else ""
    return int(length) if length.isascii() and length.isdigit() else None
