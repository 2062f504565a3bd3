"""What the server said to its operator, and what it must never say."""

import json
import re
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

# What a server may say whose connections to the database are taken away.
DATABASE_LOST = tuple(
    f'"message":"{message}"'
    for message in (
        "the database failed",
        "the database does not answer( now)?",
        "the lease cannot be renewed, the database does not answer",
        "cannot take work from the queue; trying again",
        "other servers cannot be heard now",
        "unused pack folders are left until the next sweep",
        "error occurred while testing the connection on-release",
    )
)


@dataclass
class LogCheck:
    """Reads one server's log from where it stood when the check was made."""

    path: Path
    secrets: set[str] = field(default_factory=set)
    offset: int = 0

    def __post_init__(self) -> None:
        self.offset = self.path.stat().st_size if self.path.exists() else 0

    def problems(self, allowed: Iterable[str] = ()) -> list[str]:
        """Lines that are no JSON, unexpected warnings and errors, and lines that tell a secret."""
        patterns = [re.compile(pattern) for pattern in allowed]
        found = []
        for line in self._new_lines():
            if any(secret in line for secret in self.secrets):
                found.append(f"a secret in the log: {self._redacted(line)}")
            elif is_bad(line) and not any(pattern.search(line) for pattern in patterns):
                found.append(line)
        return found

    def _new_lines(self) -> list[str]:
        with self.path.open("rb") as log:
            log.seek(self.offset)
            text = log.read().decode(errors="replace")
        return [line for line in text.splitlines() if line.strip()]

    def _redacted(self, line: str) -> str:
        for secret in self.secrets:
            line = line.replace(secret, "<secret>")
        return line


def is_bad(line: str) -> bool:
    entry = parsed(line)
    return entry is None or entry.get("level") in ("WARN", "ERROR")


def parsed(line: str) -> dict[str, Any] | None:
    try:
        entry = json.loads(line)
    except json.JSONDecodeError:
        return None
    return entry if isinstance(entry, dict) else None
