"""Runs that a test wants in the middle of what they do."""

from typing import Any

from support.api import Api
from support.sse import events


def begun(api: Api, action: str = "sleeper", pack: str = "behaviour", **parameters: Any) -> int:
    """Start an action that says when it has begun; return its execution once it did."""
    number: int = api.submit(f"{pack}.{action}", parameters)["id"]
    path = f"/api/v1/executions/{number}/logs/stdout/stream"
    assert any("begun" in event.data for event in events(api, path))
    return number
