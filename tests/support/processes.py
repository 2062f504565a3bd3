"""Processes below a server that the tests started."""

import contextlib
from pathlib import Path


def children(pid: int) -> list[int]:
    """Processes that this one started, and still has."""
    found: list[int] = []
    for task in Path(f"/proc/{pid}/task").iterdir():
        try:
            found += map(int, (task / "children").read_text().split())
        except OSError:
            continue  # the thread has ended meanwhile
    return found


def tree(pid: int) -> list[int]:
    """The process and all below it."""
    return [pid] + [below for child in children(pid) for below in tree(child)]


def marked(marker: str) -> list[int]:
    """Processes of this machine that have the marker among their arguments or in their
    environment; only root sees everybody's."""
    return [pid for pid in _all() if marker.encode() in _told(pid)]


def zombies(pid: int) -> list[int]:
    """Below this process: those that have ended, and that nobody has buried."""
    return [below for below in tree(pid)[1:] if not alive(below)]


def _all() -> list[int]:
    return [int(path.name) for path in Path("/proc").iterdir() if path.name.isdigit()]


def _told(pid: int) -> bytes:
    told = b""
    for file in ("cmdline", "environ"):
        # It may have ended meanwhile, or be somebody else's.
        with contextlib.suppress(OSError):
            told += Path(f"/proc/{pid}/{file}").read_bytes()
    return told


def alive(pid: int) -> bool:
    try:
        state = Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[0]
    except OSError:
        return False
    return state not in ("Z", "X")
