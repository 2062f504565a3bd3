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
        sqlite = measured(f"sqlite:{home}/attune.db")
    with cluster(fsync="on") as postgres:
        return {"sqlite": sqlite, "postgres": measured(postgres.url())}


def measured(url: str) -> dict[str, Any]:
    program = ROOT / "target" / "release" / "examples" / "claims"
    command = [str(program), url, str(ROWS), str(CLAIMERS)]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    numbers: dict[str, Any] = json.loads(done.stdout)
    return numbers
