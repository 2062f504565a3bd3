"""Processes below a server that the tests started."""

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


def alive(pid: int) -> bool:
    try:
        state = Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[0]
    except OSError:
        return False
    return state not in ("Z", "X")
