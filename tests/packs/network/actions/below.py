"""One request below the library, straight to what the host offers: no check of ours before it.

`fields` are pairs; texts stand for the bytes of their characters. The body comes in parts.
"""

import json
import sys
from contextlib import ExitStack

from componentize_py_types import Err
from wit_world.imports import outgoing_handler, types

params = json.load(sys.stdin)
answer = {}
# What belongs to something else has to be dropped before that.
held = ExitStack()

METHODS = {"GET": types.Method_Get, "POST": types.Method_Post, "CONNECT": types.Method_Connect}
SCHEMES = {"http": types.Scheme_Http, "https": types.Scheme_Https}


def request():
    fields = [(name, value.encode("latin-1")) for name, value in params.get("fields", [])]
    made = types.OutgoingRequest(types.Fields.from_list(fields))
    method, scheme = params.get("method", "GET"), params.get("scheme", "http")
    made.set_method(METHODS.get(method, lambda: types.Method_Other(method))())
    made.set_scheme(SCHEMES.get(scheme, lambda: types.Scheme_Other(scheme))())
    made.set_authority(params["authority"])
    made.set_path_with_query(params.get("path"))
    return made


def options():
    if "timeout_ns" not in params:
        return None
    made = types.RequestOptions()
    for set_timeout in (
        made.set_connect_timeout,
        made.set_first_byte_timeout,
        made.set_between_bytes_timeout,
    ):
        set_timeout(params["timeout_ns"])
    return made


def send(body):
    if parts := params.get("body"):
        with body.write() as stream:
            for part in parts:
                data = part.encode("latin-1")
                while data:
                    stream.blocking_write_and_flush(data[:4096])
                    data = data[4096:]
    trailers = params.get("trailers")
    if trailers is not None:
        pairs = [(name, value.encode("latin-1")) for name, value in trailers]
        trailers = types.Fields.from_list(pairs)
    types.OutgoingBody.finish(body, trailers)


def read(future):
    with future.subscribe() as ready:
        ready.block()
    outcome = future.get().value
    if isinstance(outcome, Err):
        raise outcome
    response = held.enter_context(outcome.value)
    answer["status"] = response.status()
    with response.headers() as fields:
        answer["fields"] = [(name, value.decode("latin-1")) for name, value in fields.entries()]
    stream = held.enter_context(held.enter_context(response.consume()).stream())
    answer["body"] = ""
    try:
        while True:
            answer["body"] += stream.blocking_read(1 << 16).decode("latin-1")
    except Err as end:
        if type(end.value).__name__ != "StreamError_Closed":
            raise Err(types.http_error_code(end.value.value)) from None


def exchange():
    made = request()
    body = made.body()
    future = held.enter_context(outgoing_handler.handle(made, options()))
    if params.get("unfinished"):
        held.enter_context(body)
    else:
        try:
            send(body)
        except Err as end:
            answer["unsent"] = type(end.value).__name__
    read(future)


try:
    with held:
        exchange()
except Err as error:
    code = error.value
    answer["error"] = type(code).__name__
    answer["text"] = str(getattr(code, "value", code))
except Exception as error:
    answer["error"] = type(error).__name__
    answer["text"] = str(error)
print(json.dumps(answer))
