"""Runs every measurement against one server: `python -m bench` in `tests/`."""

import json
import os
import subprocess
import tempfile
from pathlib import Path

from bench import claims, egress, engine, memory, native, recovery, report, spawn
from bench.attune import Attune, completed
from bench.connection import burst
from bench.report import Numbers
from bench.summary import milliseconds, percentile, timed
from support.packs import PACKS
from support.server import Server

SEQUENTIAL = 1000
BURST = 1000
IN_FLIGHT = 32
BUSY_LOOPS = 4
BESIDE = 300
CANCELS = 50
SLEEPERS = 20
WARM_UP = 50


def main() -> None:
    python = spawn.fastest_python()
    with tempfile.TemporaryDirectory(prefix="attune-bench-") as home:
        server = Server(Path(home)).start()
        try:
            metrics = measure(Attune(server), python, Path(home))
        finally:
            server.stop()
            server.close()
    ratios = ratios_of(metrics)
    report.print_table(metrics, ratios)
    sizes = {"sequential": SEQUENTIAL, "burst": BURST, "in_flight": IN_FLIGHT}
    sizes |= {"beside": BESIDE, "cancels": CANCELS, "sleepers": SLEEPERS}
    conditions = report.conditions(python, **sizes)
    print(f"\nwritten to {report.write('python', metrics, ratios, conditions)}")


def measure(attune: Attune, python: str, disk: Path) -> Numbers:
    metrics: Numbers = {}
    say("memory of the idle server")
    attune.install_pack()
    attune.run(attune.hello())
    metrics["idle_pss_mb"] = memory.settled(attune.server.pid)
    say(f"end to end: {SEQUENTIAL} one after the other")
    measure_floors(attune, disk, metrics)
    measure_sequential(attune, python, metrics)
    say(f"burst: {BURST} with {IN_FLIGHT} in flight")
    measure_burst(attune, python, metrics)
    say("engine alone")
    alone = engine.alone() or {}
    metrics["engine_per_second"] = alone.get("per_second")
    metrics["engine_ms"] = alone.get("sequential_ms")
    say(f"memory of {SLEEPERS} live instances")
    measure_instances(attune, metrics)
    say("compute")
    measure_compute(attune, python, metrics)
    say(f"beside {BUSY_LOOPS} busy loops")
    measure_beside(attune, metrics)
    metrics["idle_after_load_pss_mb"] = memory.settled(attune.server.pid)
    say(f"claims: {claims.CLAIMERS} claimers, {claims.ROWS} rows, on each engine")
    for engine_name, numbers in claims.on_each_engine().items():
        metrics[f"claims_{engine_name}"] = numbers
    say("native runs, and keys")
    metrics |= native.measured(attune)
    say("the network from inside")
    metrics |= egress.measured(disk, python)
    say(f"recovery: {recovery.KILLS} kills, leases of {recovery.LEASE_SECONDS} s")
    metrics["recovery_ms"] = recovery.measured()
    return metrics


def measure_floors(attune: Attune, disk: Path, metrics: Numbers) -> None:
    """What no product could go below: an empty request, and a synced write to this disk."""
    health = attune.connection.request("GET", "/health")
    metrics["floor_health_ms"] = milliseconds(timed(lambda: attune.connection.ask(health), 500))
    with (disk / "synced").open("wb", buffering=0) as file:

        def write_synced() -> None:
            file.write(bytes(4096))
            os.fdatasync(file.fileno())

        metrics["floor_sync_ms"] = milliseconds(timed(write_synced, 200))


def measure_sequential(attune: Attune, python: str, metrics: Numbers) -> None:
    """The bare spawns stand before and after, so that a slow minute slows both."""
    hello = attune.hello()
    timed(lambda: attune.run(hello), WARM_UP)
    spawns = spawn.start_to_exit(python)
    metrics["end_to_end_ms"] = milliseconds(timed(lambda: attune.run(hello), SEQUENTIAL))
    metrics["spawn_ms"] = milliseconds(spawns + spawn.start_to_exit(python))


def measure_burst(attune: Attune, python: str, metrics: Numbers) -> None:
    hello = attune.hello()
    burst(attune.url, hello, WARM_UP * 2, IN_FLIGHT)
    took, answers = burst(attune.url, hello, BURST, IN_FLIGHT)
    for answer in answers:
        completed(answer)
    metrics["burst_per_second"] = BURST / took
    with spawn.server(python) as url:
        took, answers = burst(url, hello, BURST, IN_FLIGHT)
    assert all(answer.status == 201 for answer in answers)
    metrics["spawning_per_second"] = BURST / took


def measure_instances(attune: Attune, metrics: Numbers) -> None:
    memory.settled(attune.server.pid)
    before = memory.private(attune.server.pid)
    sleepers = [attune.begin("sleeper") for _ in range(SLEEPERS)]
    memory.settled(attune.server.pid)
    metrics["instance_private_mb"] = (memory.private(attune.server.pid) - before) / SLEEPERS
    for sleeper in sleepers:
        attune.cancel(sleeper)


def measure_compute(attune: Attune, python: str, metrics: Numbers) -> None:
    script = PACKS / "bench" / "actions" / "compute.py"
    native = subprocess.run([python, script], capture_output=True, text=True, check=True).stdout
    inside = attune.run(attune.execute("compute"))["result"]["data"]
    metrics["compute_native_ms"] = in_milliseconds(json.loads(native))
    metrics["compute_ms"] = in_milliseconds(inside)


def in_milliseconds(seconds: dict[str, float]) -> dict[str, float]:
    return {kind: round(value * 1000, 2) for kind, value in seconds.items()}


def measure_beside(attune: Attune, metrics: Numbers) -> None:
    hello = attune.hello()
    with attune.beside_busy_loops(BUSY_LOOPS):
        timed(lambda: attune.run(hello), 20)
        metrics["hello_beside_ms"] = milliseconds(timed(lambda: attune.run(hello), BESIDE))
        seconds = []
        for turn in range(CANCELS):
            number = attune.begin("busy" if turn % 2 else "sleeper")
            seconds += timed(lambda number=number: attune.cancel(number), 1)  # type: ignore[misc]
        metrics["cancel_ms"] = milliseconds(seconds)


def ratios_of(metrics: Numbers) -> Numbers:
    engine_alone = metrics["engine_per_second"]
    compute = {
        kind: metrics["compute_ms"][kind] / native
        for kind, native in metrics["compute_native_ms"].items()
    }
    return {
        "end_to_end_to_spawn": metrics["end_to_end_ms"]["p50"] / metrics["spawn_ms"]["p50"],
        "burst_to_engine": metrics["burst_per_second"] / engine_alone if engine_alone else None,
        "burst_to_spawning": metrics["burst_per_second"] / metrics["spawning_per_second"],
        "compute_to_native": {kind: round(ratio, 2) for kind, ratio in compute.items()},
        "native_to_shell": metrics["native_to_shell"],
        "https_to_native": metrics["https_ms"]["p50"] / metrics["https_native_ms"]["p50"],
        "distant_https_to_native": (
            metrics["distant_https_ms"]["p50"] / metrics["distant_https_native_ms"]["p50"]
        ),
        "https_per_second_to_native": (
            metrics["https_per_second"] / metrics["https_native_per_second"]
        ),
        "queue_full_to_empty": {
            name: metrics[f"claims_{name}"]["full_to_empty"] for name in ("sqlite", "postgres")
        },
        "compute_worst": percentile(list(compute.values()), 1.0),
    }


def say(what: str) -> None:
    print(f"bench: {what}", flush=True)


if __name__ == "__main__":
    main()
