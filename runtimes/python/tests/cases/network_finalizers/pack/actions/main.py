"""The host's handles have a finalizer that costs little; `weakref` is as it should be."""

import sys
import types
import weakref

from wit_world.imports import monotonic_clock
from wit_world.imports import types as http

# One is made by the bindings in Python, one by those below.
request = http.OutgoingRequest(http.Fields.from_list([]))
pollable = monotonic_clock.subscribe_duration(0)
for handle in (request, pollable):
    print(type(handle.finalizer).__module__)
    handle.__exit__(None, None, None)
    print(handle.handle)


class Watched:
    pass


watched = Watched()
weakref.finalize(watched, print, "finalized")
del watched
print(sys.modules["weakref"] is weakref, isinstance(weakref, types.ModuleType))
