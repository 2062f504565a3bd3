"""Memory of a process tree, as the kernel counts it."""

import time
from pathlib import Path

from support.processes import tree

MEGABYTE = 1e6


def field_sum(pid: int, *names: str) -> float:
    """Megabytes in these fields of `smaps_rollup`, summed over a process tree."""
    return sum(kilobytes(process, names) for process in tree(pid)) * 1024 / MEGABYTE


def kilobytes(pid: int, names: tuple[str, ...]) -> int:
    rollup = Path(f"/proc/{pid}/smaps_rollup").read_text()
    fields = (line.split() for line in rollup.splitlines()[1:])
    return sum(int(field[1]) for field in fields if field[0].rstrip(":") in names)


def proportional(pid: int) -> float:
    """Shared pages count by the share that each process has of them."""
    return field_sum(pid, "Pss")


def private(pid: int) -> float:
    return field_sum(pid, "Private_Clean", "Private_Dirty")


def settled(pid: int) -> float:
    """Proportional memory once it no longer changes, after ten seconds at most."""
    last = proportional(pid)
    for _ in range(20):
        time.sleep(0.5)
        now = proportional(pid)
        if abs(now - last) < 0.2:
            break
        last = now
    return now
