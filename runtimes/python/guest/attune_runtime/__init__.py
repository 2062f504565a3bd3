"""The guest half of Attune's Python runtime: one action per instance.

componentize-py imports this package while it builds `python.wasm` and keeps the
memory of the interpreter as the component's initial state. So everything up to
`snapshot.seal()` happens once, at build time, and only the two exported
functions happen on a user's machine.

    request.py     what the host asks for
    action.py      from a request to a response: the path every run takes
    script.py      the script contract          function.py  the function contract
    process.py     argv, environment, directory, import path, exit codes
    streams.py     stdin, stdout, stderr        failure.py   tracebacks
    preload.py     library imported in advance  library.py   the rest of it, embedded
    timezones.py   zoneinfo's data              executors.py thread pools without threads
    event_loop.py  asyncio without threads      net/         sockets and TLS, over the host's HTTP
    missing.py     what a sandbox has not got   refusals.py  errors that say so
    heap.py        gaps that runs would scatter their objects over
    immortal.py    objects whose references no run needs to count
    snapshot.py    what must not stay in memory between a build, a prime and a run
"""

import wit_world

from . import net

net.install()  # Before what follows imports `socket` and `ssl`.

from . import (  # noqa: E402
    action,
    event_loop,
    executors,
    library,
    preload,
    refusals,
    script,
    snapshot,
    timezones,
)

preload.install()
library.install()
timezones.install()
executors.install()
event_loop.install()
refusals.install()


class WitWorld(wit_world.WitWorld):
    """The exports of `world script-runtime` in `sdk/wit/world.wit`."""

    def compile(self, entry: str) -> bytes:
        return script.compiled(f"{action.PACK}/{entry}")

    def run(self, request: str, code: bytes) -> str:
        return action.serve(request, code)

    def prime(self, request: str, code: bytes) -> str:
        return snapshot.serve_and_forget(request, code)


snapshot.warm_up()
net.seal()
snapshot.seal()
