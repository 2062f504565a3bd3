"""One request and its response, through wasi:http. Nothing here waits."""

import contextlib
from typing import Any, NamedTuple

from componentize_py_types import Err
from wit_world.imports import outgoing_handler, streams, types
from wit_world.imports.poll import Pollable

from . import errors
from .handles import Handles
from .http1 import Field, Peer

_METHODS = {
    "CONNECT": types.Method_Connect(),
    "DELETE": types.Method_Delete(),
    "HEAD": types.Method_Head(),
    "OPTIONS": types.Method_Options(),
    "PATCH": types.Method_Patch(),
    "POST": types.Method_Post(),
    "PUT": types.Method_Put(),
    "TRACE": types.Method_Trace(),
}
_SCHEMES = {"http": types.Scheme_Http(), "https": types.Scheme_Https()}
_INSECURE: Field = ("attune-insecure-tls", b"true")

_MOST_AT_ONCE = 64 << 10


class Head(NamedTuple):
    """The head of a response as the host tells it."""

    status: int
    fields: list[Field]


class Exchange:
    """A request on its way; it starts at once, and its body follows."""

    def __init__(
        self,
        peer: Peer,
        method: str,
        path: str = "/",
        fields: list[Field] | None = None,
        *,
        has_body: bool = False,
        insecure: bool = False,
    ) -> None:
        self._handles = Handles()
        self._body: Any = None
        self._output: Any = None
        # What comes back, as far as it is known: the promise of a response, the response, its body.
        self._promise: Any = None
        self._response: Any = None
        self._input: Any = None
        # What to wait for; each is made when somebody waits, and kept.
        self._writable: Pollable | None = None
        self._readable: Pollable | None = None
        self.body_is_open = has_body
        self._flushing = False
        self._ended = False
        try:
            sent = fields or []
            self._start(peer, method, path, [*sent, _INSECURE] if insecure else sent)
        except BaseException:
            self.close()
            raise

    def _start(self, peer: Peer, method: str, path: str, fields: list[Field]) -> None:
        hold = self._handles.hold
        try:
            request = hold(types.OutgoingRequest(types.Fields.from_list(fields)))
            if method != "GET":  # Which is what a new one has.
                request.set_method(_METHODS.get(method) or types.Method_Other(method))
            request.set_scheme(_SCHEMES[peer.scheme])
            request.set_authority(peer.authority)
            request.set_path_with_query(path)
        except Err as error:
            raise OSError(errors.INVALID, f"this request cannot be sent: {error.value}") from None
        # Not even asked for where there is none: the host would send an empty one.
        if self.body_is_open:
            self._body = hold(request.body())
            self._output = hold(self._body.write())
        try:
            self._promise = hold(outgoing_handler.handle(self._handles.release(request), None))
        except Err as error:
            raise errors.exception(error.value) from None

    # The request.

    def write(self, data: memoryview) -> int:
        """Pass bytes of the body on; how many the host takes now."""
        try:
            room = self._output.check_write() if self._output else len(data)
            taken = min(room, len(data), _MOST_AT_ONCE)
            if taken and self._output:
                self._output.write(bytes(data[:taken]))
        except Err as error:
            # The peer has heard enough: its response, or its error, will tell why.
            self._abandon_body(error)
            return len(data)
        return taken

    def finish(self) -> None:
        """The body is complete."""
        self.body_is_open = False
        if self._output:
            try:
                self._output.flush()
            except Err as error:
                self._abandon_body(error)
            else:
                self._flushing = True
                self._go_on_finishing()

    def _go_on_finishing(self) -> None:
        """A stream that is dropped before it is flushed may lose data."""
        try:
            if self._output.check_write() == 0:
                return
        except Err as error:
            self._abandon_body(error)
        else:
            self._drop_output()
            self._finish_body()
        self._flushing = False

    def _finish_body(self) -> None:
        body, self._body = self._handles.release(self._body), None
        with contextlib.suppress(Err):  # The response will tell.
            types.OutgoingBody.finish(body, None)

    def _drop_output(self) -> None:
        if self._writable:
            self._handles.drop(self._writable)
        self._handles.drop(self._output)
        self._writable = self._output = None

    def _abandon_body(self, error: Err[Any]) -> None:
        _drop_cause(error)
        self._drop_output()
        self._handles.drop(self._body)
        self._body, self._flushing = None, False

    def is_writable(self) -> bool:
        try:
            return self._output is None or self._flushing or self._output.check_write() > 0
        except Err as error:
            _drop_cause(error)
            return True

    # The response.

    def head(self) -> Head | None:
        """The head of the response; None while there is none."""
        if self._flushing:
            self._go_on_finishing()
        outcome = self._promise.get()
        if outcome is None:
            return None
        if self._readable:
            self._handles.drop(self._readable)
            self._readable = None
        if isinstance(outcome.value, Err):
            raise errors.exception(outcome.value.value)
        self._response = self._handles.hold(outcome.value.value)
        with self._response.headers() as fields:
            return Head(self._response.status(), fields.entries())

    def read(self, count: int) -> bytes | None:
        """Bytes of the response's body: None while there are none, b"" at its end."""
        if self._flushing:
            self._go_on_finishing()
        if self._ended:
            return b""
        if self._input is None:
            # Only now: many a response has no body.
            body = self._handles.hold(self._response.consume())
            self._input = self._handles.hold(body.stream())
        try:
            return self._input.read(min(count, _MOST_AT_ONCE)) or None
        except Err as error:
            self._ended = True
            if isinstance(error.value, streams.StreamError_Closed):
                return b""
            raise _failure(error.value.value) from None

    # Waiting.

    def pollable_to_write(self) -> Pollable:
        if self._writable is None:
            self._writable = self._handles.hold(self._output.subscribe())
        return self._writable

    def pollables_to_read(self) -> list[Pollable]:
        """What to wait for until `head` or `read` may have something."""
        if self._readable is None:
            source = self._input or self._promise
            self._readable = self._handles.hold(source.subscribe())
        return [self._readable, *([self.pollable_to_write()] if self._flushing else [])]

    def close(self) -> None:
        """Give everything back; what is under way is cancelled by that."""
        self._handles.drop_all()

    def __del__(self) -> None:
        self.close()


def _drop_cause(error: Err[Any]) -> None:
    """Why a stream failed is a handle as well."""
    if isinstance(error.value, streams.StreamError_LastOperationFailed):
        error.value.value.__exit__(None, None, None)


def _failure(error: Any) -> OSError:
    """Why a body ends that the host could not read to its end."""
    with error:
        return errors.in_a_body(types.http_error_code(error), error.to_debug_string())
