"""HTTP exchanges: one after the other as redirects ask for it, until an answer or an error."""

import contextlib
import http.client
import http.cookiejar
import ssl
import time
import urllib.request
import zlib
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from urllib.parse import SplitResult, quote, urldefrag, urljoin, urlsplit

REDIRECTS = (301, 302, 303, 307, 308)
USUAL_PORTS = {"http": 80, "https": 443}
CHUNK = 1 << 16


@dataclass(frozen=True)
class Request:
    method: str
    url: str
    # By lower-case name.
    headers: dict[str, str]
    body: bytes | None


@dataclass(frozen=True)
class Limits:
    seconds: float
    # None: redirects are answers like others.
    redirects: int | None
    body_bytes: int
    any_certificate: bool


@dataclass
class Outcome:
    """What came of a request: an answer, an error, or the part of an answer before an error."""

    url: str
    status: int | None = None
    headers: dict[str, str] = field(default_factory=dict)
    body: bytes = b""
    truncated: bool = False
    error: str | None = None
    elapsed_ms: int = 0


class Deadline:
    def __init__(self, seconds: float) -> None:
        self.seconds = seconds
        self._end = time.monotonic() + seconds

    def left(self) -> float:
        left = self._end - time.monotonic()
        if left <= 0:
            raise TimeoutError
        return left


def perform(request: Request, limits: Limits) -> Outcome:
    """Never raises for what the network or the peer does."""
    started = time.monotonic()
    deadline = Deadline(limits.seconds)
    cookies = http.cookiejar.CookieJar()
    followed = 0
    while True:
        outcome = exchange(request, limits, deadline, cookies)
        location = outcome.headers.get("location") if outcome.status in REDIRECTS else None
        if outcome.error or limits.redirects is None or not location:
            break
        if followed == limits.redirects:
            outcome.error = f"more than {limits.redirects} redirects"
            break
        try:
            request = redirected(request, outcome.status or 0, location)
        except ValueError as error:
            outcome.error = f"a redirect leads nowhere: {error}"
            break
        followed += 1
    outcome.elapsed_ms = round((time.monotonic() - started) * 1000)
    return outcome


def exchange(
    request: Request, limits: Limits, deadline: Deadline, cookies: http.cookiejar.CookieJar
) -> Outcome:
    """One request and its answer."""
    outcome = Outcome(request.url)
    try:
        with contextlib.closing(connection(request, limits, deadline)) as connected:
            response = asked(connected, request, cookies)
            outcome.status = response.status
            outcome.headers = headers(response)
            for part in decoded(parts(response, connected, deadline), outcome.headers):
                outcome.body += part[: limits.body_bytes - len(outcome.body) + 1]
                if len(outcome.body) > limits.body_bytes:
                    outcome.body = outcome.body[: limits.body_bytes]
                    outcome.truncated = True
                    break
    except TimeoutError:
        outcome.error = f"timed out after {limits.seconds:g} seconds"
    except zlib.error as error:
        outcome.error = f"the body is not what its content-encoding says: {error}"
    except OSError as error:
        outcome.error = str(error) or type(error).__name__
    except http.client.HTTPException as error:
        outcome.error = f"no answer that can be read: {type(error).__name__}: {error}".strip()
    except ValueError as error:
        outcome.error = f"this cannot be sent: {error}"
    return outcome


def connection(request: Request, limits: Limits, deadline: Deadline) -> http.client.HTTPConnection:
    """Connected, so that a timeout can be set on its socket from now on."""
    parts = urlsplit(request.url)
    host = ascii_host(parts)
    # Said even if it is the usual one, or the end of an IPv6 address would be taken for it.
    port = parts.port or USUAL_PORTS[parts.scheme]
    if parts.scheme == "http":
        opened = http.client.HTTPConnection(host, port, timeout=deadline.left())
    else:
        context = ssl.create_default_context()
        if limits.any_certificate:
            context.check_hostname = False
            context.verify_mode = ssl.CERT_NONE
        opened = http.client.HTTPSConnection(host, port, timeout=deadline.left(), context=context)
    opened.connect()
    return opened


def ascii_host(parts: SplitResult) -> str:
    """The host as it goes over the wire."""
    host = parts.hostname or ""
    return host if host.isascii() else host.encode("idna").decode()


def asked(
    connected: http.client.HTTPConnection, request: Request, cookies: http.cookiejar.CookieJar
) -> http.client.HTTPResponse:
    """Send the request; return the answer once its head is there."""
    fields = dict(request.headers)
    with_cookies = urllib.request.Request(request.url)
    cookies.add_cookie_header(with_cookies)
    kept = with_cookies.get_header("Cookie")
    fields["cookie"] = "; ".join(filter(None, (fields.get("cookie"), kept)))
    if not fields["cookie"]:
        del fields["cookie"]
    in_bytes = {name: value.encode() for name, value in fields.items()}
    connected.request(request.method, path(request.url), request.body, in_bytes)
    response = connected.getresponse()
    cookies.extract_cookies(response, with_cookies)
    return response


def path(url: str) -> str:
    parts = urlsplit(url)
    return (parts.path or "/") + (f"?{parts.query}" if parts.query else "")


def headers(response: http.client.HTTPResponse) -> dict[str, str]:
    joined: dict[str, str] = {}
    for name, value in response.getheaders():
        name = name.lower()
        joined[name] = f"{joined[name]}, {value}" if name in joined else value
    return joined


def parts(
    response: http.client.HTTPResponse, connected: http.client.HTTPConnection, deadline: Deadline
) -> Iterator[bytes]:
    """The body as it comes, until the deadline."""
    while True:
        # Of a connection that will be closed, the response alone knows the socket.
        if connected.sock:
            connected.sock.settimeout(deadline.left())
        part = response.read1(CHUNK)
        deadline.left()
        if not part:
            break
        yield part
    if response.length:
        raise ConnectionResetError("the connection was closed before the body's end")


def decoded(body: Iterator[bytes], fields: dict[str, str]) -> Iterator[bytes]:
    """The body without its content encodings, if they are known; none is ever held as a whole."""
    for encoding in reversed(fields.get("content-encoding", "").lower().split(",")):
        if encoding.strip() in ("gzip", "x-gzip", "deflate"):
            body = inflated(body)
        elif encoding.strip() not in ("", "identity"):
            break
    return body


def inflated(body: Iterator[bytes]) -> Iterator[bytes]:
    """gzip, zlib, and the bare deflate that some send under its name."""
    inflate = None
    for part in body:
        if inflate is None:
            wrapped = part[0] == 0x1F or part[0] & 0x0F == zlib.DEFLATED
            inflate = zlib.decompressobj(47 if wrapped else -zlib.MAX_WBITS)
        yield inflate.decompress(part, CHUNK)
        while inflate.unconsumed_tail:
            yield inflate.decompress(inflate.unconsumed_tail, CHUNK)
    if inflate is not None and not inflate.eof:
        raise zlib.error("it ends too early")


def redirected(request: Request, status: int, location: str) -> Request:
    """What to ask next; a ValueError if that is no URL for us."""
    # Bytes that are no ASCII come as Latin-1, whatever they were.
    url = urldefrag(urljoin(request.url, location.strip())).url
    url = quoted(url.encode("latin-1", "ignore"))
    before, after = urlsplit(request.url), urlsplit(url)
    if after.scheme not in ("http", "https") or not after.hostname:
        raise ValueError(url)
    if "@" in after.netloc:
        raise ValueError("it holds a name or a password")
    left_out = set()
    if moved(before, after):
        left_out |= {"authorization", "cookie", "host"}
    method, body = request.method, request.body
    if (status == 303 and method != "HEAD") or (status in (301, 302) and method == "POST"):
        method, body = "GET", None
        left_out |= {"content-type", "content-length", "content-encoding", "transfer-encoding"}
    kept = {name: value for name, value in request.headers.items() if name not in left_out}
    return replace(request, method=method, url=url, headers=kept, body=body)


def quoted(url: str | bytes) -> str:
    """A URL, or a part of one, in which what no URL may hold is quoted."""
    return quote(url, safe="%/:=&?~#+!$,;'@()*[]")


def moved(before: SplitResult, after: SplitResult) -> bool:
    """Whether whoever is asked next is somebody else, who must not hear what was for the first."""

    def port(parts: SplitResult) -> int:
        return parts.port or USUAL_PORTS[parts.scheme]

    if before.hostname != after.hostname:
        return True
    if (before.scheme, port(before)) == ("http", 80):
        return (after.scheme, port(after)) not in (("http", 80), ("https", 443))
    return (before.scheme, port(before)) != (after.scheme, port(after))
