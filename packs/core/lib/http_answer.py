"""From the bytes of an answer to a result that fits into what is kept of stdout."""

import base64
import codecs
import json
import math
from email.message import Message
from typing import Any

from http_exchange import Outcome

# What is read of a body, and how long the result may be: 10 MB are kept of stdout.
BODY_BYTES = 4_000_000
RESULT_BYTES = 9_500_000
# Deeper JSON would not be parsed by those who read the result.
JSON_LEVELS = 100


def printed(outcome: Outcome) -> bytes:
    """The result as one line of JSON, shortened until it fits."""
    result = as_result(outcome)
    while len(line := encoded(result)) > RESULT_BYTES:
        result["truncated"] = True
        if result["json"] is not None:
            result["json"] = None
        elif result["body"]:
            result["body"] = result["body"][: len(result["body"]) // 2]
        else:
            result["headers"] = {}
    return line


def encoded(result: dict[str, Any]) -> bytes:
    document = json.dumps(result, ensure_ascii=False, separators=(",", ":"))
    # Half a surrogate pair is no text; JSON from elsewhere may hold one all the same.
    return document.encode("utf-8", "replace") + b"\n"


def as_result(outcome: Outcome) -> dict[str, Any]:
    text = decoded(outcome.body, outcome.headers.get("content-type", ""), outcome.truncated)
    result = {
        "status_code": outcome.status,
        "headers": outcome.headers,
        "body": text,
        "json": None if outcome.truncated or not text else parsed(text),
        "elapsed_ms": outcome.elapsed_ms,
        "url": outcome.url,
        "success": outcome.error is None and outcome.status in range(200, 300),
    }
    if text is None:
        result["body_base64"] = base64.b64encode(outcome.body).decode()
    if outcome.truncated:
        result["truncated"] = True
    if outcome.error is not None:
        result["error"] = outcome.error
    return result


def decoded(body: bytes, content_type: str, truncated: bool) -> str | None:
    """The body as text, if it is text."""
    try:
        decoder = codecs.getincrementaldecoder(charset(content_type))()
        # A cut may go through the middle of a character, which is left out then.
        return decoder.decode(body, final=not truncated)
    except ValueError:
        return None


def charset(content_type: str) -> str:
    """The one that the header names, if it is known, else UTF-8."""
    message = Message()
    message["content-type"] = content_type
    try:
        # Only codecs of text can encode a string; this asks without touching the body.
        named = message.get_content_charset("utf-8")
        "".encode(named)
        codecs.getincrementaldecoder(named)
    except (LookupError, ValueError):
        return "utf-8"
    return "utf-8-sig" if named in ("utf-8", "utf8") else named


def parsed(text: str) -> Any:
    """The document in a text; None if there is none that others could read as well."""
    try:
        found = json.loads(
            text, parse_constant=refused, parse_float=finite(float), parse_int=finite(int)
        )
    except (ValueError, RecursionError):
        return None
    return None if levels(found) > JSON_LEVELS else found


def refused(constant: str) -> None:
    raise ValueError(f"{constant} is no JSON")


def finite(number: type[int] | type[float]) -> Any:
    """A parser that refuses what a double cannot hold."""

    def parse(digits: str) -> int | float:
        if len(digits) > 300 or (number is float and math.isinf(float(digits))):
            raise ValueError("a number without end")
        return number(digits)

    return parse


def levels(value: Any) -> int:
    """How deep lists and objects are nested."""
    depth, level = 0, [value]
    while level := [item for item in level if isinstance(item, dict | list)]:
        depth += 1
        level = [
            child for item in level for child in (item.values() if isinstance(item, dict) else item)
        ]
    return depth
