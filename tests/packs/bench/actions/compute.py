"""Seconds for four kinds of work; run in the sandbox and natively, unchanged."""

import hashlib
import json
import re
import time
from collections.abc import Callable


def fib(n: int) -> int:
    return n if n < 2 else fib(n - 1) + fib(n - 2)


def work_fib() -> None:
    fib(25)


def work_json() -> None:
    rows = [{"id": n, "name": f"row {n}", "tags": ["a", "b"], "ratio": n / 7} for n in range(5000)]
    for _ in range(4):
        rows = json.loads(json.dumps(rows))


def work_regex() -> None:
    text = "user42@example.org, order-10293, 2024-05-17T10:00:00Z; " * 2000
    pattern = re.compile(r"(\w+)@(\w+)\.org|order-(\d+)|(\d{4})-(\d\d)-(\d\d)")
    for _ in range(3):
        assert len(pattern.findall(text)) == 6000


def work_sha256() -> None:
    block = bytes(1 << 20)
    for _ in range(16):
        hashlib.sha256(block).hexdigest()


def seconds(work: Callable[[], None]) -> float:
    """The fastest of five."""
    times = []
    for _ in range(5):
        start = time.perf_counter()
        work()
        times.append(time.perf_counter() - start)
    return min(times)


kinds = {"fib": work_fib, "json": work_json, "regex": work_regex, "sha256": work_sha256}
print(json.dumps({name: seconds(work) for name, work in kinds.items()}))
