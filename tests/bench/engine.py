"""The engine alone, at the same limits: what the rest of the product is measured against."""

import json
import subprocess
from typing import Any

from support.server import ROOT

PROGRAM = ROOT / "target" / "release" / "examples" / "engine_bench"


def alone() -> dict[str, Any] | None:
    """What the sandbox's own example measures; none, with the reason said, where it fails."""
    command = [str(PROGRAM), "--json"]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    if done.returncode != 0:
        print(f"  the engine alone was not measured: {done.stderr.strip()[-300:]}")
        return None
    measured: dict[str, Any] = json.loads(done.stdout)
    return measured
