"""Sends an HTTP request; prints what came of it as one JSON object.

`http_exchange` speaks to servers and follows redirects, `http_answer` makes a result of what
they say. Here the parameters become a request.
"""

import base64
import json
import re
import sys
from typing import Any
from urllib.parse import unquote, urlencode, urlsplit, urlunsplit

import http_answer
import http_exchange

TOKEN = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]+")
# Everything that is no control character; a tab may stand within a value.
VALUE = re.compile(r"[^\x00-\x08\x0a-\x1f\x7f]*")


def request(params: dict[str, Any]) -> http_exchange.Request:
    """What the parameters ask for; a ValueError says what is wrong with them."""
    method = str(params.get("method") or "GET").upper()
    if not TOKEN.fullmatch(method) or method == "CONNECT":
        raise ValueError(f"method: {method!r} cannot be sent")
    url, login = target(params["url"], params.get("query_params") or {})
    body, content_type = content(params)
    headers = {"user-agent": "attune", "accept": "*/*", "accept-encoding": "gzip, deflate"}
    if content_type:
        headers["content-type"] = content_type
    if authorization := authorized(params, login):
        headers["authorization"] = authorization
    for name, value in (params.get("headers") or {}).items():
        headers[name.lower()] = header(name, value)
    return http_exchange.Request(method, url, headers, body)


def target(url: str, query: dict[str, Any]) -> tuple[str, str | None]:
    """The URL to ask, and the `name:password` that stood in it."""
    try:
        parts = urlsplit(url.strip())
        host, _port = parts.hostname, parts.port
    except ValueError as error:
        raise ValueError(f"url: {error}") from None
    if parts.scheme not in ("http", "https"):
        raise ValueError("url: it has to begin with http:// or https://")
    if not host:
        raise ValueError("url: it names no host")
    userinfo, _, authority = parts.netloc.rpartition("@")
    login = unquote(userinfo) if ":" in userinfo or not userinfo else f"{unquote(userinfo)}:"
    added = urlencode([pair for name in query for pair in pairs(name, query[name])])
    asked = "&".join(filter(None, (http_exchange.quoted(parts.query), added)))
    path = http_exchange.quoted(parts.path) or "/"
    return urlunsplit((parts.scheme, authority, path, asked, "")), login or None


def pairs(name: str, value: Any) -> list[tuple[str, str]]:
    values = value if isinstance(value, list) else [value]
    return [(name, text(item)) for item in values if item is not None]


def text(value: Any) -> str:
    """A string as it is, everything else as JSON has it."""
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)


def header(name: str, value: Any) -> str:
    if not TOKEN.fullmatch(name):
        raise ValueError(f"headers: {name!r} is no name of a header")
    if not VALUE.fullmatch(text(value)):
        raise ValueError(f"headers: the value of {name} holds a line break or a control character")
    return text(value).strip()


def content(params: dict[str, Any]) -> tuple[bytes | None, str | None]:
    """The body and its type."""
    body, document = params.get("body"), params.get("json_body")
    if body is not None and document is not None:
        raise ValueError("body and json_body: give one of them")
    if document is not None:
        return json.dumps(document, ensure_ascii=False).encode(), "application/json"
    return (None if body is None else text(body).encode()), None


def authorized(params: dict[str, Any], login: str | None) -> str | None:
    """The Authorization header."""
    kind = params.get("auth_type") or "none"
    if kind == "bearer":
        if not params.get("auth_token"):
            raise ValueError("auth_token: bearer needs it")
        return f"Bearer {header('auth_token', params['auth_token'])}"
    if kind == "basic":
        if params.get("auth_username") is None:
            raise ValueError("auth_username: basic needs it")
        login = f"{params['auth_username']}:{params.get('auth_password') or ''}"
    return login and f"Basic {base64.b64encode(login.encode()).decode()}"


def main() -> None:
    params = json.load(sys.stdin)
    try:
        asked = request(params)
    except ValueError as error:
        sys.exit(str(error))
    limits = http_exchange.Limits(
        seconds=params.get("timeout") or 30,
        redirects=params.get("max_redirects", 10) if params.get("follow_redirects", True) else None,
        body_bytes=http_answer.BODY_BYTES,
        any_certificate=not params.get("verify_ssl", True),
    )
    outcome = http_exchange.perform(asked, limits)
    sys.stdout.buffer.write(http_answer.printed(outcome))


if __name__ == "__main__":
    main()
