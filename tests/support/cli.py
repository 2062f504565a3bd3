"""The `attune` command, as a person or a script runs it."""

import json
import os
import subprocess
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from support.server import BINARY


@dataclass
class Cli:
    """Runs `attune` with a home folder of its own."""

    home: Path
    variables: dict[str, str] = field(default_factory=dict)

    def run(
        self, *arguments: str, said: str = "", **variables: str
    ) -> subprocess.CompletedProcess[str]:
        """`said` is what the command can read from stdin."""
        environment = {"PATH": os.environ["PATH"], "HOME": str(self.home)}
        return subprocess.run(
            [str(BINARY), *arguments],
            cwd=self.home,
            env={**environment, **self.variables, **variables},
            input=said,
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )

    def out(self, *arguments: str) -> str:
        """stdout of a command that has to succeed."""
        done = self.run(*arguments)
        assert done.returncode == 0, f"exit {done.returncode}: {done.stderr}"
        return done.stdout

    def told(self, *arguments: str) -> str:
        """All that a command that has to succeed tells: results, and what is said about them."""
        done = self.run(*arguments)
        assert done.returncode == 0, f"exit {done.returncode}: {done.stderr}"
        return done.stdout + done.stderr

    def json(self, *arguments: str) -> Any:
        return json.loads(self.out("--json", *arguments))
