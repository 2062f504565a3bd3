"""Native runs, beside a bare shell; and keys, from outside and from inside."""

import json
import os
import shutil

from bench.attune import Attune
from bench.connection import burst
from bench.report import Numbers
from bench.summary import milliseconds, timed
from support.api import data

TIMES = 300
WARM_UP = 20
KEYS = 1000
IN_FLIGHT = 8
KEY = "bench.counter"


def measured(attune: Attune) -> Numbers:
    numbers = native(attune)
    numbers["keys_api_per_second"] = keys_by_api(attune)
    inside = attune.run(attune.execute("keys", key=KEY))["result"]["data"]
    return numbers | {"keys_inside_per_second": inside}


def native(attune: Attune) -> Numbers:
    """The bare shells stand before and after, so that a slow minute slows both."""
    action = {"ref": "bench.true", "pack_ref": "bench", "label": "true", "entrypoint": "true"}
    data(attune.api.post("/api/v1/actions", action | {"runtime_ref": "core.shell"}), 201)
    true = attune.execute("true")
    timed(lambda: attune.run(true), WARM_UP)
    shells = timed(shell, TIMES)
    runs = milliseconds(timed(lambda: attune.run(true), TIMES))
    return {"native_ms": runs, "shell_ms": milliseconds(shells + timed(shell, TIMES))}


def shell() -> None:
    bash = shutil.which("bash") or "/bin/bash"
    process = os.posix_spawn(bash, [bash, "-c", "true"], os.environ)
    _, status = os.waitpid(process, 0)
    assert status == 0


def keys_by_api(attune: Attune) -> dict[str, float]:
    new = {"ref": KEY, "name": "counter", "owner_type": "system", "value": 0}
    data(attune.api.post("/api/v1/keys", new), 201)
    path = f"/api/v1/keys/{KEY}"
    put = attune.connection.request("PUT", path, {"value": 1}, **attune.headers)
    get = attune.connection.request("GET", path, **attune.headers)
    rates: dict[str, float] = {}
    for name, request in (("set", put), ("get", get)):
        took, answers = burst(attune.url, request, KEYS, IN_FLIGHT)
        assert all(json.loads(answer.body)["data"]["value"] == 1 for answer in answers)
        rates[name] = round(KEYS / took)
    return rates
