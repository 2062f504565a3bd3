"""What a client takes for a connection: HTTP/1.1 in, HTTP/1.1 out, exchanges in between.

The client writes requests and reads responses on one connection after another, or many of each
on one: that is between it and this class. The connections of the network are the host's.

Nothing here waits. `sockets.py` does, for what `pollables` names.
"""

import dataclasses
import errno
import os
from typing import NoReturn

from wit_world.imports.poll import Pollable

from . import descriptors, errors, framing, handshake, http1, tls_errors
from .exchange import Exchange
from .handshake import Handshake
from .http1 import Peer, Request, Requests, Response

READ, WRITE = 1, 2  # As in `selectors`.

_LEAST_AT_ONCE = 8 << 10
# How much of a response is taken in while its request is still being written.
_MOST_AHEAD = 64 << 10


class Connection:
    """One connection, from before it is opened until it is closed."""

    def __init__(self, family: int) -> None:
        self.family = family
        # How many sockets have it; see `descriptors.detach`.
        self.sockets = 1
        self.descriptor = descriptors.add(self)
        self.peer: Peer | None = None
        self._insecure = False
        self._opening: Exchange | None = None
        # The handshake that `_opening` is about, if it came in the bytes that were written.
        self._announced: Handshake | None = None
        self._exchange: Exchange | None = None
        self._requests: Requests | None = None
        self._request: Request | None = None
        self._body: framing.Body | None = None
        self._response: Response | None = None
        self._remaining: int | None = None
        self._head = bytearray()
        self._incoming = bytearray()
        self._has_spoken = False
        self._ended = False
        self._failure: OSError | None = None

    # Opening.

    def open(self, host: str, port: int) -> None:
        """Ask the host to connect; `opened` tells when it has."""
        self.peer = Peer("http", host, port)
        self._open()

    def start_tls(self, wanted: Handshake) -> None:
        """Ask the host for TLS with the peer; `opened` tells when it stands."""
        if self.peer is None or self._exchange or self._head:
            raise tls_errors.failed("TLS can begin only on a fresh connection")
        if self.peer.scheme == "https":
            raise tls_errors.failed("TLS within TLS is not available")
        self._check_server_name(wanted.server_name)
        self.peer = dataclasses.replace(self.peer, scheme="https")
        self._insecure = wanted.insecure
        self._open()

    def _open(self) -> None:
        assert self.peer
        try:
            self._opening = Exchange(self.peer, "CONNECT", insecure=self._insecure)
        except OSError as error:
            self._fail(error)

    def _check_server_name(self, name: str | None) -> None:
        assert self.peer
        if name and name.lower().strip("[]").rstrip(".") != self.peer.host.lower().rstrip("."):
            raise tls_errors.failed(
                f"server_hostname is {name!r}, but the connection leads to {self.peer.host!r}: "
                "the host asks for, and checks, the name that was connected to"
            )

    def opened(self) -> bool:
        """Whether what was asked for stands. Raises why it never will."""
        if self._failure:
            raise self._failure
        if self._opening is None:
            return self.peer is not None
        try:
            head = self._opening.head()
        except OSError as error:
            self._fail(error)
        if head is None:
            return False
        self._opening.close()
        self._opening = None
        if head.status != 200:
            self._fail(OSError(errno.EPROTO, f"CONNECT was answered with {head.status}"))
        return True

    def _go_on_opening(self) -> bool:
        """For a handshake that was announced: its outcome is told to whom it belongs."""
        if self._opening is None:
            return True
        if self._announced is None:
            return self.opened()
        try:
            if not self.opened():
                return False
        except OSError as error:
            self._announced.error = error
            self._failure, self._ended = None, True
        self._announced = None
        self._incoming += handshake.ANSWER
        return True

    # Writing.

    def write(self, data: memoryview) -> int:
        """Take what can be taken now of what the client writes."""
        if self._failure:
            raise self._failure
        taken = 0
        while taken < len(data):
            step = self._take(data[taken:] if taken else data)
            if step == 0:
                break
            taken += step
        return taken

    def _take(self, data: memoryview) -> int:
        if not self._go_on_opening():
            return 0
        if self._ended and self._body:
            return len(data)  # Not wanted any more: the response tells why.
        if self._ended:
            raise BrokenPipeError(errno.EPIPE, os.strerror(errno.EPIPE))
        self._has_spoken = True
        try:
            return self._take_body(data) if self._body else self._take_head(data)
        except OSError as error:
            self._fail(error)

    def _take_head(self, data: memoryview) -> int:
        if self._exchange:
            raise OSError(errno.EBUSY, "a request was written before the last one was answered")
        before = len(self._head)
        self._head += data[: http1.MAX_HEAD]
        if self._head[0] == handshake.PREFACE[0]:
            return self._take_preface(before)
        end = self._head.find(b"\r\n\r\n", max(0, before - 3))
        if end < 0:
            http1.refuse_other_protocols(bytes(self._head))
            if len(self._head) > http1.MAX_HEAD:
                raise OSError(errno.EMSGSIZE, "the head of the request is too large")
            return len(self._head) - before
        self._begin(end)
        self._head.clear()
        return end + 4 - before

    def _take_preface(self, before: int) -> int:
        end = self._head.find(b"\n")
        line = bytes(self._head[: end + 1] if end >= 0 else self._head)
        if not handshake.could_be_preface(line):
            raise PermissionError(errno.EACCES, "TLS is the host's: use the ssl module")
        if end < 0:
            return len(self._head) - before
        self._head.clear()
        self._announced = handshake.announced(line)
        if self._announced is None:
            raise PermissionError(errno.EACCES, "TLS is the host's: use the ssl module")
        try:
            self.start_tls(self._announced)
        except OSError as error:
            self._announced.error, self._announced = error, None
            self._incoming += handshake.ANSWER
            self._failure, self._ended = None, True
        return end + 1 - before

    def _begin(self, end: int) -> None:
        """Send the request whose head ends there."""
        assert self.peer
        if self._requests is None:
            self._requests = Requests(self.peer)
        request = self._requests.parse(self._head, end)
        body = None if request.length == 0 else framing.body(request.length)
        self._exchange = Exchange(
            self.peer,
            request.method,
            request.path,
            request.fields,
            has_body=body is not None,
            insecure=self._insecure,
        )
        self._request, self._response, self._body = request, None, body
        if self._body and request.waits_for_continue:
            self._incoming += b"HTTP/1.1 100 Continue\r\n\r\n"

    def _take_body(self, data: memoryview) -> int:
        assert self._body
        taken = self._body.take_framing(data)
        if taken == 0 and self._exchange:
            taken = self._exchange.write(data[: self._body.available])
            self._body.take_content(taken)
        if taken == 0 and self._may_listen():
            # Held up. A response that is complete by now says that the peer wants no more.
            self._receive()
            if self._ended:
                return len(data)
        if self._body.complete:
            self._body = None
            if self._exchange:
                self._exchange.finish()
        return taken

    def _may_listen(self) -> bool:
        return len(self._incoming) < _MOST_AHEAD

    # Reading.

    def read(self, count: int) -> bytes | None:
        """What the client reads: None while there is nothing, b"" at the end."""
        if not self._incoming:
            self._receive(count)
        if self._incoming:
            data = bytes(self._incoming[:count])
            del self._incoming[:count]
            return data
        if self._failure:
            raise self._failure
        return b"" if self._ended else None

    @property
    def awaits_answer(self) -> bool:
        """Whether a request is under way of whose answer nothing has been seen yet."""
        return self._exchange is not None and self._response is None and not self._incoming

    @property
    def pending(self) -> int:
        """How much could be read at once."""
        return len(self._incoming)

    def peek(self, count: int) -> bytes | None:
        data = self.read(count)
        if data:
            self._incoming[:0] = data
        return data

    def _receive(self, count: int = 0) -> None:
        """Have more in `_incoming`, if there is more."""
        if self._failure or self._ended or not self._go_on_opening() or not self._exchange:
            return
        try:
            if self._response is None:
                self._receive_head()
            if self._response and self._exchange:
                self._receive_body(max(count, _LEAST_AT_ONCE))
        except errors.EarlyEndError:
            self._end()
        except OSError as error:
            self._failure = error
            self._drop_exchange()

    def _receive_head(self) -> None:
        assert self._exchange
        assert self._request
        head = self._exchange.head()
        if head is None:
            return
        if self._body:
            # Answered early: the rest of the request is in the way of a next one.
            self._request = self._request._replace(closes=True)
        self._response = http1.response(self._request, head.status, head.fields)
        self._incoming += self._response.head
        self._remaining = self._response.length
        if self._remaining == 0:
            self._complete()

    def _receive_body(self, count: int) -> None:
        assert self._exchange
        assert self._response
        data = self._exchange.read(count)
        if data is None:
            return
        if self._response.chunked:
            self._incoming += framing.chunk(data)
        else:
            self._incoming += data
        if self._remaining is not None:
            self._remaining -= len(data)
        if self._remaining == 0 or not data:
            self._complete()

    def _complete(self) -> None:
        """The response has been read; whether the connection serves another request."""
        assert self._request
        cut = bool(self._remaining)
        unsent = self._body is not None
        self._drop_exchange()
        if self._request.closes or unsent or cut:
            self._end()

    # Waiting.

    def is_settled(self, event: int) -> bool:
        """Whether a read, or a write, would do something, as far as is known without the host."""
        if self._failure:
            return True
        if event == READ:
            return bool(self._incoming or self._ended)
        return self._opening is None and (self._body is None or self._exchange is None)

    def is_ready(self, event: int) -> bool:
        """Whether it would, be it to raise an error."""
        if self.is_settled(event):
            return True
        try:
            if not self._go_on_opening():
                return False
        except OSError:
            return True
        if event == READ:
            self._receive()
            return self.is_settled(READ)
        if self._exchange and not self._exchange.is_writable() and self._may_listen():
            self._receive()
        return self._exchange is None or self._exchange.is_writable()

    def pollables(self, event: int) -> list[Pollable]:
        """What to wait for until it may be ready. Empty: nothing will happen by itself."""
        if self._opening:
            return self._opening.pollables_to_read()
        if self._exchange is None:
            return []
        if event == READ:
            return self._exchange.pollables_to_read()
        listening = self._exchange.pollables_to_read() if self._may_listen() else []
        return [self._exchange.pollable_to_write(), *listening]

    def expire(self) -> None:
        """End what nobody will end: a server, too, closes a connection that says nothing."""
        if self._has_spoken:
            self._end()
        elif not self._failure:
            text = f"{http1.ONLY_HTTP}, where the client speaks first"
            self._failure = PermissionError(errno.EACCES, text)

    # Ending.

    def _end(self) -> None:
        self._ended = True
        self._drop_exchange()

    def _fail(self, error: OSError) -> NoReturn:
        if isinstance(error, errors.EarlyEndError):
            error = ConnectionResetError(*error.args)
        self._failure = error
        self._drop_exchange()
        if self._opening:
            self._opening.close()
            self._opening = None
        raise error

    def _drop_exchange(self) -> None:
        if self._exchange:
            self._exchange.close()
            self._exchange = None

    def close(self) -> None:
        """Drop what is under way."""
        self._end()
        if self._opening:
            self._opening.close()
            self._opening = None
        self._incoming.clear()
        descriptors.remove(self.descriptor)
