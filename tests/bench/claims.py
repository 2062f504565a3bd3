"""Claiming and finishing rows, on each engine, with nothing to run: what the store alone can do."""

import json
import subprocess
import tempfile
from typing import Any

from support.postgres import cluster
from support.server import ROOT

ROWS = 100_000
CLAIMERS = 4


def on_each_engine() -> dict[str, dict[str, Any]]:
    """Both with durable commits."""
    with tempfile.TemporaryDirectory(prefix="attune-claims-") as home:
        sqlite = measured(f"sqlite:{home}/filled.db", f"sqlite:{home}/empty.db")
    with cluster(fsync="on") as own:
        postgres = measured(own.new_database(), own.new_database())
    return {"sqlite": sqlite, "postgres": postgres}


def measured(url: str, empty_url: str) -> dict[str, Any]:
    program = ROOT / "target" / "release" / "examples" / "claims"
    command = [str(program), url, empty_url, str(ROWS), str(CLAIMERS)]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    numbers: dict[str, Any] = json.loads(done.stdout)
    return numbers
