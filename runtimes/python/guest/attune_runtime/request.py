"""What the host asks for. `sdk/contract/README.md` documents the envelope."""

import json
from typing import Any, NamedTuple


class Request(NamedTuple):
    """One action to run: a file of the pack, and what it is given."""

    entry: str
    function: str | None
    argv: list[str]
    env: dict[str, str]
    params: dict[str, Any]
    context: dict[str, Any]
    # The entry, compiled; empty if it is to be compiled now.
    code: bytes

    @classmethod
    def parse(cls, text: str, code: bytes) -> "Request":
        fields = json.loads(text)
        return cls(
            entry=fields["entry"],
            function=fields.get("function"),
            argv=fields.get("argv") or [],
            env=fields.get("env") or {},
            params=fields.get("params") or {},
            context=fields.get("context") or {},
            code=code,
        )
