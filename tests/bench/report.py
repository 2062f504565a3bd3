"""What was measured, as a table for people and as JSON for programs."""

import json
import os
import platform
import subprocess
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from bench import recovery
from support.server import ROOT

Numbers = dict[str, Any]


@dataclass(frozen=True)
class Goal:
    """What a number ought to be."""

    what: str
    value: float | None
    bound: float
    at_most: bool
    unit: str = ""

    def line(self) -> str:
        sign = "<=" if self.at_most else ">="
        goal = f"{sign} {self.bound:g}{self.unit}"
        if self.value is None:
            return f"  {self.what:<44} {'not measured':>14}   {goal:<12} -"
        reached = self.value <= self.bound if self.at_most else self.value >= self.bound
        verdict = "reached" if reached else "MISSED"
        return f"  {self.what:<44} {self.value:>11.2f}{self.unit:<3}   {goal:<12} {verdict}"


def goals(metrics: Numbers, ratios: Numbers) -> list[Goal]:
    """The goals of `make bench`; the README quotes them."""
    return [
        Goal("end to end p50 / bare spawn p50", ratios["end_to_end_to_spawn"], 0.25, True),
        Goal("burst / engine alone", ratios["burst_to_engine"], 0.60, False),
        Goal("burst / bare spawning from a server", ratios["burst_to_spawning"], 4, False),
        Goal("idle process tree, PSS", metrics["idle_pss_mb"], 120, True, " MB"),
        Goal("private memory per live instance", metrics["instance_private_mb"], 3, True, " MB"),
        Goal("cancel p99, beside 4 busy loops", metrics["cancel_ms"]["p99"], 30, True, " ms"),
        Goal("hello p99, beside 4 busy loops", metrics["hello_beside_ms"]["p99"], 20, True, " ms"),
        *(
            goal
            for engine in ("sqlite", "postgres")
            for goal in store_goals(engine, metrics, ratios)
        ),
        Goal("a confined shell p50 / a bare one p50", ratios["native_to_shell"], 3, True),
        Goal("https, kept, p50 / native, peer at once", ratios["https_to_native"], 1.5, True),
        Goal("https, kept, p50 / native, 10 ms away", ratios["distant_https_to_native"], 1.5, True),
        Goal("500 waiting requests, PSS", metrics["waiting_requests_mb"], 256, True, " MB"),
        Goal("killed server, settled after its lease +", after_lease(metrics), 1, True, " s"),
    ]


def after_lease(metrics: Numbers) -> float:
    """Seconds, the longest of all kills."""
    longest: float = metrics["recovery_ms"]["max"]
    return longest / 1000 - recovery.LEASE_SECONDS


def store_goals(engine: str, metrics: Numbers, ratios: Numbers) -> list[Goal]:
    rate = metrics[f"claims_{engine}"]["per_second"]
    full = ratios["queue_full_to_empty"][engine]
    return [
        Goal(f"claims and ends, {engine}", rate, 10_000, False, " /s"),
        Goal(f"claim to end, full queue / empty, {engine}", full, 1.2, True),
    ]


def print_table(metrics: Numbers, ratios: Numbers) -> None:
    print("\nmeasured")
    for name, value in metrics.items():
        shown = value
        if isinstance(value, dict):
            shown = "  ".join(f"{key} {number:g}" for key, number in value.items())
        print(f"  {name:<30} {shown}")
    print("\ngoals")
    for goal in goals(metrics, ratios):
        print(goal.line())


def write(name: str, metrics: Numbers, ratios: Numbers, conditions: Numbers) -> Path:
    path = ROOT / "target" / "bench" / f"{name}.json"
    path.parent.mkdir(parents=True, exist_ok=True)
    content = {"metrics": metrics, "ratios": ratios, "conditions": conditions}
    path.write_text(json.dumps(content, indent=2) + "\n")
    return path


def conditions(python: str, **sizes: int) -> Numbers:
    """The machine and the product that were measured."""
    return {
        "when": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime()),
        "commit": said(["git", "-C", str(ROOT), "describe", "--always", "--dirty"]),
        "cpu": cpu_model(),
        "cores": os.cpu_count(),
        "kernel": platform.release(),
        "bare_python": f"{python} ({said([python, '--version'])})",
        "durability": "SQLite WAL, synchronous=FULL",
        "isolation": "fresh instance per action, fuel and epochs on, runner confined",
        **sizes,
    }


def cpu_model() -> str:
    lines = Path("/proc/cpuinfo").read_text().splitlines()
    return next((line.split(": ", 1)[1] for line in lines if line.startswith("model name")), "")


def said(command: list[str]) -> str:
    return subprocess.run(command, capture_output=True, text=True, check=False).stdout.strip()
