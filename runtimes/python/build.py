#!/usr/bin/env python3
"""Build `runtimes/python.wasm`: CPython with Attune's guest code, as a component.

    runtimes/python/build.py

Needs Python 3.11 or later, and PyPI the first time. Does nothing when neither
the sources nor the pins have changed since the last build.
"""

import contextlib
import fcntl
import hashlib
import os
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import immortal_objects
import pinned_venv

HERE = Path(__file__).resolve().parent
REPOSITORY = HERE.parent.parent
WIT = REPOSITORY / "sdk" / "wit"
GUEST = HERE / "guest"
REQUIREMENTS = HERE / "requirements.txt"
OUTPUT = HERE.parent / "python.wasm"

WORK = REPOSITORY / "target" / "python-runtime"
STAMP = WORK / "python.wasm.stamp"
WORLD = "script-runtime"
APP = "attune_runtime"


def main() -> None:
    WORK.mkdir(parents=True, exist_ok=True)
    with _one_at_a_time():
        digest = _digest_of_inputs()
        if _is_up_to_date(digest):
            print(f"python.wasm: up to date ({OUTPUT})")
            return
        _build()
        STAMP.write_text(_stamp(digest))


@contextlib.contextmanager
def _one_at_a_time() -> Iterator[None]:
    """Several test runs may ask for the runtime at once; the second waits for the first."""
    with open(WORK / "lock", "w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def _digest_of_inputs() -> str:
    sources = [
        path
        for root in (GUEST, WIT)
        for path in root.rglob("*")
        if path.is_file() and "__pycache__" not in path.parts
    ]
    digest = hashlib.sha256()
    for path in [*sorted(sources), REQUIREMENTS, *sorted(HERE.glob("*.py"))]:
        digest.update(str(path.relative_to(REPOSITORY)).encode() + b"\0")
        digest.update(hashlib.sha256(path.read_bytes()).digest())
    return digest.hexdigest()


def _stamp(digest: str) -> str:
    return f"{digest} {OUTPUT.stat().st_size}\n"


def _is_up_to_date(digest: str) -> bool:
    return OUTPUT.exists() and STAMP.exists() and STAMP.read_text() == _stamp(digest)


def _build() -> None:
    environment = WORK / "venv"
    pinned_venv.ensure(environment, REQUIREMENTS)
    # A copy, because the interpreter writes its caches beside the sources it imports.
    stage = WORK / "stage"
    shutil.rmtree(stage, ignore_errors=True)
    shutil.copytree(GUEST, stage, ignore=shutil.ignore_patterns("__pycache__"))
    unfinished = WORK / "python.wasm"
    started = time.monotonic()
    print("componentize: taking the snapshot (about half a minute)", flush=True)
    _componentize(environment, stage, unfinished)
    count = immortal_objects.make_immortal(unfinished)
    unfinished.replace(OUTPUT)
    seconds = time.monotonic() - started
    size = OUTPUT.stat().st_size / 1e6
    print(f"python.wasm: {size:.1f} MB, {count} immortal objects, in {seconds:.0f} s ({OUTPUT})")


def _componentize(environment: Path, stage: Path, output: Path) -> None:
    command: list[str | Path] = [environment / "bin" / "componentize-py", "--quiet"]
    command += ["--wit-path", WIT, "--world", WORLD]
    command += ["componentize", "--python-path", stage, "--output", output, APP]
    # VIRTUAL_ENV: the guest sees the packages of this environment and of no other.
    variables = {"PATH": os.defpath, "HOME": str(WORK), "VIRTUAL_ENV": str(environment)}
    result = subprocess.run(command, env=variables, text=True, capture_output=True)
    if result.returncode != 0:
        sys.exit(f"componentize-py failed:\n{result.stdout}{result.stderr}")


if __name__ == "__main__":
    main()
