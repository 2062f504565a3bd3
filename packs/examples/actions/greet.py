"""Greets several people.

The entry point names a function, so there is nothing to read or to print:
parameters come in as a dict, and what is returned is the result, as JSON.
"""

from typing import Any


def run(params: dict[str, Any], context: dict[str, Any]) -> dict[str, Any]:
    names = params["names"]
    # With a function, stdout is only its log.
    print(f"{context['action_ref']} greets {len(names)} people")
    return {"greetings": [f"Hello, {name}!" for name in names]}
