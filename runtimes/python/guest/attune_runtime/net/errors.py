"""The host's error codes as the exceptions that users of sockets expect."""

import _socket
import errno
import os
from typing import Any

from wit_world.imports import types

from . import tls_errors

INVALID = errno.EINVAL

_DENIED = "denied: "

# An error number says which class it is: `OSError(ECONNREFUSED)` is a `ConnectionRefusedError`.
_NUMBERS = {
    types.ErrorCode_DestinationNotFound: errno.EHOSTUNREACH,
    types.ErrorCode_DestinationUnavailable: errno.ENETUNREACH,
    types.ErrorCode_DestinationIpUnroutable: errno.ENETUNREACH,
    types.ErrorCode_ConnectionRefused: errno.ECONNREFUSED,
    types.ErrorCode_ConnectionTerminated: errno.ECONNRESET,
}
_TEXTS = {
    types.ErrorCode_ConnectionLimitReached: (errno.EMFILE, "too many requests of this run at once"),
    types.ErrorCode_HttpRequestBodySize: (errno.EFBIG, "the body of the request is too large"),
    types.ErrorCode_HttpResponseBodySize: (errno.EFBIG, "the body of the response is too large"),
    types.ErrorCode_HttpResponseHeaderSectionSize: (
        errno.EMSGSIZE,
        "the head of the response is too large",
    ),
    types.ErrorCode_HttpRequestUriInvalid: (errno.EINVAL, "the URL cannot be requested"),
    types.ErrorCode_HttpProtocolError: (errno.EPROTO, "what the server says is not valid HTTP"),
    types.ErrorCode_HttpRequestDenied: (errno.EACCES, "the host does not allow this request"),
    types.ErrorCode_DestinationIpProhibited: (errno.EACCES, "the host does not allow this address"),
}
_TIMEOUTS = (
    types.ErrorCode_ConnectionTimeout,
    types.ErrorCode_ConnectionReadTimeout,
    types.ErrorCode_ConnectionWriteTimeout,
    types.ErrorCode_HttpResponseTimeout,
)


# wasmtime 48 tells only the text of an error that comes in the middle of a body, not its code.
_IN_A_BODY = {
    "incomplete HTTP response": types.ErrorCode_HttpResponseIncomplete(),
    "connection terminated": types.ErrorCode_ConnectionTerminated(),
    "connection read timeout": types.ErrorCode_ConnectionReadTimeout(),
    "HTTP response timeout": types.ErrorCode_HttpResponseTimeout(),
    "HTTP response body size exceeds limit": types.ErrorCode_HttpResponseBodySize(None),
    "HTTP protocol error": types.ErrorCode_HttpProtocolError(),
}


class EarlyEndError(ConnectionResetError):
    """The peer hung up in the middle. A socket sees no error then, but an end."""


def exception(code: Any) -> OSError:
    """The exception for an error code of wasi:http."""
    kind = type(code)
    if kind in _NUMBERS:
        return OSError(_NUMBERS[kind], os.strerror(_NUMBERS[kind]))
    if kind in _TEXTS:
        return OSError(*_TEXTS[kind])
    if kind in _TIMEOUTS:
        return TimeoutError(errno.ETIMEDOUT, os.strerror(errno.ETIMEDOUT))
    if kind is types.ErrorCode_HttpResponseIncomplete:
        return EarlyEndError(errno.ECONNRESET, os.strerror(errno.ECONNRESET))
    if kind is types.ErrorCode_DnsTimeout:
        return _socket.gaierror(_socket.EAI_AGAIN, "Temporary failure in name resolution")
    if kind is types.ErrorCode_DnsError:
        return _socket.gaierror(_socket.EAI_NONAME, "Name or service not known")
    if kind.__name__.startswith("ErrorCode_Tls"):
        return _tls_exception(code)
    return _other(code)


def in_a_body(code: Any, text: str) -> OSError:
    """The exception for what ends a body before its time."""
    if code is None:
        code = _IN_A_BODY.get(text.partition(":")[0])
    return OSError(errno.EIO, text) if code is None else exception(code)


def _tls_exception(code: Any) -> OSError:
    if isinstance(code, types.ErrorCode_TlsCertificateError):
        return tls_errors.not_verified("the server's certificate is not valid for this host")
    alert = getattr(getattr(code, "value", None), "alert_message", None)
    return tls_errors.failed(f"the TLS handshake failed{f': {alert}' if alert else ''}")


def _other(code: Any) -> OSError:
    text = getattr(code, "value", None)
    if isinstance(text, str) and text.startswith(_DENIED):
        return PermissionError(errno.EACCES, text)
    name = type(code).__name__.removeprefix("ErrorCode_")
    return OSError(errno.EIO, f"{name}: {text}" if text else name)
