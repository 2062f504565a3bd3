"""The function contract."""

from typing import Any


def run(params: dict[str, Any], context: dict[str, Any]) -> dict[str, Any]:
    print("a line for the log")
    if "problem" in params:
        raise ValueError(params["problem"])
    return {"greeting": f"Hello, {params['name']}!", "context": context}
