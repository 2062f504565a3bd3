#!/usr/bin/env python3
"""Run the guest's cases: each on a fresh instance, and on one primed by an untidy script.

    runtimes/python/tests/run.py [part of a case's name ...]

Builds the runtime if need be, and makes an environment of its own for the engine.
"""

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from case import Case, Observed
    from engine import Instance

HERE = Path(__file__).resolve().parent
RUNTIME = HERE.parent
WORK = RUNTIME.parent.parent / "target" / "python-runtime"
WASM = RUNTIME.parent / "python.wasm"


def prepare(arguments: list[str]) -> None:
    """Build, then start again inside the environment that has the engine."""
    subprocess.run([sys.executable, RUNTIME / "build.py"], check=True)
    sys.path.insert(0, str(RUNTIME))
    import pinned_venv

    python = pinned_venv.ensure(WORK / "test-venv", HERE / "requirements.txt")
    os.execv(python, [str(python), __file__, "--inside", *arguments])


def run_cases(parts: list[str]) -> bool:
    """Run the cases whose names have one of the parts; True when all pass."""
    import case as cases
    import engine

    component, linker = engine.load(WASM, WORK)
    passed = failed = 0
    for case in cases.load_all():
        if parts and not any(part in case.name for part in parts):
            continue
        runs = []
        for primed in (False, True):
            instance = engine.Instance(component, linker, WORK / "case", case.stdin.encode())
            if primed:
                instance.use_pack(HERE / "prime")
                instance.prime(json.dumps({"entry": "prime.py"}))
            runs.append(_run(instance, case, compiled=primed))
        problems = list(case.problems(runs))
        passed, failed = passed + (not problems), failed + bool(problems)
        print("FAIL" if problems else "ok  ", case.name, flush=True)
        for problem in problems:
            print("    " + problem.replace("\n", "\n    "))
    print(f"{passed} passed, {failed} failed")
    return passed > 0 and failed == 0


def _run(instance: "Instance", case: "Case", compiled: bool) -> "Observed":
    from case import Observed

    instance.use_pack(case.pack)
    if case.fake_host:
        shutil.copy(HERE / "fake_host.py", instance.pack)
    request = json.dumps(case.request)
    if case.export == "prime":
        response = instance.prime(request)
    else:
        code = instance.compile(case.request["entry"]) if compiled else b""
        response = instance.run(request, code)
    return Observed(json.loads(response), instance.stdout.read_text(), instance.stderr.read_text())


if __name__ == "__main__":
    if sys.argv[1:2] == ["--inside"]:
        sys.exit(not run_cases(sys.argv[2:]))
    prepare(sys.argv[1:])
