"""Many measurements as a few numbers."""

from collections.abc import Callable, Sequence
from time import perf_counter


def percentile(values: Sequence[float], share: float) -> float:
    """Nearest rank: a value that was measured, never one between two."""
    ordered = sorted(values)
    return ordered[min(len(ordered) - 1, int(len(ordered) * share))]


def milliseconds(seconds: Sequence[float]) -> dict[str, float]:
    named = {"p50": 0.50, "p95": 0.95, "p99": 0.99, "max": 1.0}
    return {name: round(percentile(seconds, share) * 1000, 3) for name, share in named.items()}


def timed(work: Callable[[], object], times: int) -> list[float]:
    """Seconds of each of so many calls."""
    seconds = []
    for _ in range(times):
        start = perf_counter()
        work()
        seconds.append(perf_counter() - start)
    return seconds
