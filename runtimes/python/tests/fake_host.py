"""A host of the network that runs in the guest itself, for cases that have `"fake_host": true`.

It takes the place of the bindings of wasi:http. What it answers, and after how long, is up to the
case; its clock does not run but jumps to what happens next. And it is as strict as a real one
about handles: to drop one that another was made from is an error, where a real host would end
the instance.
"""

import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field

from attune_runtime.net import waiting
from componentize_py_types import Err, Ok
from wit_world.imports import outgoing_handler, streams
from wit_world.imports import types as http


@dataclass
class Answer:
    """What comes back for a request, and when (in seconds)."""

    status: int = 200
    fields: dict[str, str] = field(default_factory=dict)
    # What the body consists of: pieces, pauses before the next, and at most an error.
    body: list[bytes | float | object] = field(default_factory=list)
    after: float = 0.0
    error: object = None
    # Whether it comes only after the whole request.
    waits: bool = True


@dataclass
class Seen:
    """A request as the host was asked for it."""

    method: str
    scheme: str
    authority: str
    path: str | None
    fields: list[tuple[str, bytes]]
    body: bytes = b""
    finished_at: float | None = None


class Host:
    def __init__(self) -> None:
        self.now = 0.0
        self.seen: list[Seen] = []
        self.handles: set[Handle] = set()
        self.answer: Callable[[Seen], Answer] = lambda request: Answer()
        self.connect: Callable[[Seen], Answer] = lambda request: Answer()
        # How much an output stream takes at once, and after how long again.
        self.room = 1 << 20
        self.pause = 0.0
        # Whether output streams are broken.
        self.deaf = False

    @property
    def requests(self) -> list[Seen]:
        return [request for request in self.seen if request.method != "Connect"]

    def sleep(self, seconds: float) -> None:
        self.now += max(seconds, 0.0)


host = Host()


class Handle:
    def __init__(self, parent: "Handle | None" = None) -> None:
        self.parent = parent
        self.children = 0
        host.handles.add(self)
        if parent:
            parent.children += 1

    def __enter__(self):
        return self

    def __exit__(self, *exc: object) -> None:
        self.drop()

    def drop(self) -> None:
        assert self in host.handles, f"{type(self).__name__} is dropped twice"
        assert self.children == 0, f"{type(self).__name__} is dropped before what came of it"
        host.handles.discard(self)
        if self.parent:
            self.parent.children -= 1


class Pollable(Handle):
    def __init__(self, when: Callable[[], float | None], parent: Handle | None = None) -> None:
        super().__init__(parent)
        self.when = when

    def block(self) -> None:
        poll([self])


def poll(pollables: list[Pollable]) -> list[int]:
    assert pollables, "poll of nothing"
    assert all(one in host.handles for one in pollables), "poll of what was dropped"
    times = [one.when() for one in pollables]
    due = [when for when in times if when is not None]
    assert due, "poll of what will never be ready"
    host.now = max(host.now, min(due))
    return [place for place, when in enumerate(times) if when is not None and when <= host.now]


class Fields(Handle):
    def __init__(self, entries: list[tuple[str, bytes]], parent: Handle | None = None) -> None:
        super().__init__(parent)
        self._entries = entries

    @classmethod
    def from_list(cls, entries: list[tuple[str, bytes]]) -> "Fields":
        return cls(entries)

    def entries(self) -> list[tuple[str, bytes]]:
        return self._entries


class OutgoingRequest(Handle):
    def __init__(self, fields: Fields) -> None:
        super().__init__()
        fields.drop()
        self.seen = Seen("Get", "", "", None, fields.entries())
        self.has_body = False

    def set_method(self, method: object) -> None:
        name = type(method).__name__.removeprefix("Method_")
        self.seen.method = getattr(method, "value", name)

    def set_scheme(self, scheme: object) -> None:
        self.seen.scheme = type(scheme).__name__.removeprefix("Scheme_").lower()

    def set_authority(self, authority: str) -> None:
        self.seen.authority = authority

    def set_path_with_query(self, path: str | None) -> None:
        self.seen.path = path

    def body(self) -> "OutgoingBody":
        self.has_body = True
        return OutgoingBody(self.seen)


class OutgoingBody(Handle):
    def __init__(self, seen: Seen) -> None:
        super().__init__()
        self.seen = seen

    def write(self) -> "OutputStream":
        return OutputStream(self)

    @staticmethod
    def finish(body: "OutgoingBody", trailers: None) -> None:
        body.drop()
        body.seen.finished_at = host.now


class OutputStream(Handle):
    def __init__(self, body: OutgoingBody) -> None:
        super().__init__(body)
        self.seen = body.seen
        self.ready_at = host.now

    def check_write(self) -> int:
        if host.deaf:
            raise Err(streams.StreamError_LastOperationFailed(Failure("broken", self)))
        return host.room if host.now >= self.ready_at else 0

    def write(self, data: bytes) -> None:
        assert 0 < len(data) <= self.check_write()
        self.seen.body += data
        self.ready_at = host.now + host.pause

    def flush(self) -> None:
        self.ready_at = max(self.ready_at, host.now + host.pause)

    def subscribe(self) -> Pollable:
        return Pollable(lambda: self.ready_at, self)


class FutureIncomingResponse(Handle):
    def __init__(self, seen: Seen, answer: Answer) -> None:
        super().__init__()
        self.seen, self.answer = seen, answer
        self.begun_at = host.now

    def ready_at(self) -> float | None:
        begun_at = self.seen.finished_at if self.answer.waits else self.begun_at
        return None if begun_at is None else begun_at + self.answer.after

    def subscribe(self) -> Pollable:
        return Pollable(self.ready_at, self)

    def get(self) -> Ok | None:
        when = self.ready_at()
        if when is None or when > host.now:
            return None
        return Ok(
            Err(self.answer.error) if self.answer.error else Ok(IncomingResponse(self.answer))
        )


class IncomingResponse(Handle):
    def __init__(self, answer: Answer) -> None:
        super().__init__()
        self.answer = answer

    def status(self) -> int:
        return self.answer.status

    def headers(self) -> Fields:
        return Fields([(name, text.encode()) for name, text in self.answer.fields.items()], self)

    def consume(self) -> "IncomingBody":
        return IncomingBody(self)


class IncomingBody(Handle):
    def __init__(self, response: IncomingResponse) -> None:
        super().__init__(response)
        self.pieces = response.answer.body

    def stream(self) -> "InputStream":
        return InputStream(self)


class InputStream(Handle):
    def __init__(self, body: IncomingBody) -> None:
        super().__init__(body)
        self.pieces = list(body.pieces)
        self.ready_at = host.now
        self._skip_pauses()

    def _skip_pauses(self) -> None:
        while self.pieces and isinstance(self.pieces[0], float):
            self.ready_at = max(self.ready_at, host.now) + self.pieces.pop(0)

    def read(self, count: int) -> bytes:
        if host.now < self.ready_at:
            return b""
        if not self.pieces:
            raise Err(streams.StreamError_Closed())
        piece = self.pieces.pop(0)
        if not isinstance(piece, bytes):
            raise Err(streams.StreamError_LastOperationFailed(Failure(piece, self)))
        if piece[count:]:
            self.pieces.insert(0, piece[count:])
        self._skip_pauses()
        return piece[:count]

    def subscribe(self) -> Pollable:
        return Pollable(lambda: self.ready_at, self)


class Failure(Handle):
    def __init__(self, code: object, stream: Handle) -> None:
        super().__init__(stream)
        self.code = code

    def to_debug_string(self) -> str:
        return repr(self.code)


def handle(request: OutgoingRequest, options: None) -> FutureIncomingResponse:
    request.drop()
    host.seen.append(request.seen)
    if not request.has_body:
        request.seen.finished_at = host.now
    decide = host.connect if request.seen.method == "Connect" else host.answer
    return FutureIncomingResponse(request.seen, decide(request.seen))


def _alarm(nanoseconds: int) -> Pollable:
    at = host.now + nanoseconds / 1e9
    return Pollable(lambda: at)


def _install() -> None:
    for one in (Fields, OutgoingRequest, OutgoingBody):
        setattr(http, one.__name__, one)
    http.http_error_code = lambda failure: failure.code
    outgoing_handler.handle = handle
    waiting.poll = poll
    waiting.monotonic_clock.subscribe_duration = _alarm
    time.monotonic = lambda: host.now
    time.sleep = host.sleep


def attempts(*functions: Callable[[], object]) -> Iterator[str]:
    """A line for each: what came of it, and how long it took."""
    for function in functions:
        begun = host.now
        try:
            result = function()
        except Exception as error:
            result = f"{type(error).__name__}: {error}"
        yield f"{function.__name__} ({host.now - begun:.2f} s) {result}"


_install()
