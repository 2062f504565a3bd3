"""Native runs, beside a bare shell; and keys, from outside and from inside."""

import json
import os
import re
import shutil
import subprocess

from bench.attune import Attune
from bench.connection import burst
from bench.report import Numbers
from bench.summary import milliseconds, timed
from support.api import data
from support.server import ROOT

TIMES = 300
WARM_UP = 20
KEYS = 1000
IN_FLIGHT = 8
KEY = "bench.counter"
# The room's own example: a confined run, without the rest of the product, beside a bare one.
COST = ROOT / "target" / "release" / "examples" / "cost"


def measured(attune: Attune) -> Numbers:
    numbers = native(attune) | {"native_to_shell": confined_to_bare()}
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


def confined_to_bare() -> float:
    told = subprocess.run([COST], capture_output=True, text=True, check=True).stdout
    found = re.search(r": ([0-9.]+) times", told)
    assert found, told
    return float(found[1])


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
