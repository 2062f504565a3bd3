"""The rival that everybody has: a bare `python3 -c pass` for each action."""

import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from bench.summary import percentile, timed

ROUNDS = 100


def fastest_python() -> str:
    """Of the machine's Pythons, the one that starts and ends first."""
    found = {shutil.which("python3"), "/usr/bin/python3", getattr(sys, "_base_executable", None)}
    # A shim is a shell script; what it leads to is the rival.
    real = {interpreter(path) for path in found if path and Path(path).exists()}
    return min(real, key=lambda python: percentile(timed(lambda: spawn(python), 10), 0.5))


def interpreter(python: str) -> str:
    question = [python, "-c", "import sys; print(sys._base_executable)"]
    return subprocess.run(question, capture_output=True, text=True, check=True).stdout.strip()


def spawn(python: str) -> None:
    """From start to exit, with nothing of Python's own around it."""
    process = os.posix_spawn(python, [python, "-c", "pass"], os.environ)
    _, status = os.waitpid(process, 0)
    assert status == 0


def start_to_exit(python: str) -> list[float]:
    """Seconds of each of `ROUNDS` spawns."""
    return timed(lambda: spawn(python), ROUNDS)


@contextmanager
def server(python: str) -> Iterator[str]:
    """A server that spawns one for each request; its address."""
    command = [sys.executable, "-m", "bench.spawn_server", python]
    root = Path(__file__).resolve().parents[1]
    process = subprocess.Popen(command, cwd=root, stdout=subprocess.PIPE, text=True)
    try:
        assert process.stdout is not None
        yield process.stdout.readline().strip()
    finally:
        process.kill()
        process.wait()
