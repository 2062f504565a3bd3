"""What goes wrong is the exception that users of sockets and clients expect."""

import http.client
import socket
import ssl
import urllib.error
import urllib.request

from fake_host import Answer, host
from wit_world.imports import types

CODES = [
    types.ErrorCode_InternalError("denied: example.com is not in permissions.http"),
    types.ErrorCode_InternalError("the broker is gone"),
    types.ErrorCode_DnsError(types.DnsErrorPayload("NXDOMAIN", None)),
    types.ErrorCode_DnsTimeout(),
    types.ErrorCode_ConnectionRefused(),
    types.ErrorCode_DestinationUnavailable(),
    types.ErrorCode_ConnectionTimeout(),
    types.ErrorCode_ConnectionLimitReached(),
    types.ErrorCode_TlsCertificateError(),
    types.ErrorCode_TlsProtocolError(),
    types.ErrorCode_HttpResponseTimeout(),
    types.ErrorCode_ConnectionTerminated(),
    types.ErrorCode_HttpResponseIncomplete(),
    types.ErrorCode_HttpProtocolError(),
    types.ErrorCode_HttpResponseBodySize(7),
]


def attempt(function):
    try:
        return function()
    except Exception as error:
        reason = getattr(error, "reason", None)
        error = reason if isinstance(reason, Exception) else error
        return f"{type(error).__name__}: {error}"


def fetch(scheme="http"):
    return urllib.request.urlopen(f"{scheme}://example.com/").read()


for code in CODES:
    print(type(code).__name__.removeprefix("ErrorCode_"))
    host.connect = lambda request: Answer(error=code)
    host.answer = lambda request: Answer()
    print("  connecting:", attempt(lambda: socket.create_connection(("example.com", 80))))
    host.connect = lambda request: Answer(error=code if request.scheme == "https" else None)
    print("  handshake:", attempt(lambda: fetch("https")))
    host.connect = lambda request: Answer()
    host.answer = lambda request: Answer(error=code)
    print("  response:", attempt(fetch))
    host.answer = lambda request: Answer(body=[b"abc", code])
    print("  chunked body:", attempt(fetch))
    host.answer = lambda request: Answer(fields={"content-length": "9"}, body=[b"abc", code])
    print("  counted body:", attempt(fetch))
print(len(host.handles), "handles")
print(issubclass(ssl.SSLCertVerificationError, ssl.SSLError), ssl.SSLError.__mro__[1].__name__)
client = http.client.HTTPConnection("example.com")
host.connect = lambda request: Answer(status=407)
print(attempt(client.connect))
