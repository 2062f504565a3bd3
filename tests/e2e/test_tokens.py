"""Which bearer tokens the server takes, and which it does not."""

import base64
import hashlib
import hmac
import json
import time
from typing import Any

import pytest

from support.api import Api, data, error, tokens, unauthenticated
from support.packs import unique
from support.server import JWT_SECRET


def encode(part: dict[str, Any]) -> str:
    return base64.urlsafe_b64encode(json.dumps(part).encode()).rstrip(b"=").decode()


def decode(part: str) -> dict[str, Any]:
    return json.loads(base64.urlsafe_b64decode(part + "=" * (-len(part) % 4)))


def sign(claims: dict[str, Any], secret: str = JWT_SECRET) -> str:
    signed = f"{encode({'alg': 'HS256', 'typ': 'JWT'})}.{encode(claims)}"
    digest = hmac.new(secret.encode(), signed.encode(), hashlib.sha256).digest()
    return f"{signed}.{base64.urlsafe_b64encode(digest).rstrip(b'=').decode()}"


@pytest.fixture
def pair(anonymous: Api) -> dict[str, Any]:
    body = {"login": unique("user"), "password": "a-good-password-77"}
    return tokens(anonymous.post("/auth/register", body))


@pytest.fixture
def claims(pair: dict[str, Any]) -> dict[str, Any]:
    return decode(pair["access_token"].split(".")[1])


def refused(anonymous: Api, token: str) -> None:
    unauthenticated(Api(anonymous.url, token).get("/auth/me"))


def test_the_claims_are_the_contract_s(pair: dict[str, Any], claims: dict[str, Any]) -> None:
    assert claims["sub"] == str(pair["user"]["id"])
    assert claims["login"] == pair["user"]["login"]
    assert claims["token_type"] == "access"
    assert claims["exp"] - claims["iat"] == 3600
    assert claims["jti"]
    refresh = decode(pair["refresh_token"].split(".")[1])
    assert refresh["token_type"] == "refresh"
    assert refresh["exp"] - refresh["iat"] == 7 * 24 * 3600


def test_refresh_rotates(anonymous: Api, pair: dict[str, Any]) -> None:
    old = {"refresh_token": pair["refresh_token"]}
    fresh = tokens(anonymous.post("/auth/refresh", old))
    assert (
        data(Api(anonymous.url, fresh["access_token"]).get("/auth/me"))["id"]
        == (pair["user"]["id"])
    )
    assert fresh["refresh_token"] != pair["refresh_token"]
    error(anonymous.post("/auth/refresh", old), 401, "UNAUTHORIZED")


def test_an_access_token_does_not_refresh(anonymous: Api, pair: dict[str, Any]) -> None:
    body = {"refresh_token": pair["access_token"]}
    error(anonymous.post("/auth/refresh", body), 401, "UNAUTHORIZED")
    error(anonymous.post("/auth/refresh", {"refresh_token": "junk"}), 401, "UNAUTHORIZED")
    assert anonymous.post("/auth/refresh", {}).status_code == 422


def test_a_refresh_token_is_no_bearer_token(anonymous: Api, pair: dict[str, Any]) -> None:
    refused(anonymous, pair["refresh_token"])


def test_none_at_all(anonymous: Api) -> None:
    unauthenticated(anonymous.get("/auth/me"))
    for value in ("Bearer", "Basic YTpi", "Bearer a.b.c", "Bearer a b"):
        headers = {"Authorization": value}
        unauthenticated(anonymous.http.get("/auth/me", headers=headers))


@pytest.mark.parametrize(
    "path",
    ["/api/v1/packs", "/api/v1/actions", "/api/v1/executions", "/api/v1/executions/stream"],
)
def test_every_door_asks_for_one(anonymous: Api, path: str) -> None:
    unauthenticated(anonymous.get(path))


def test_tampered(anonymous: Api, pair: dict[str, Any], claims: dict[str, Any]) -> None:
    header, payload, signature = pair["access_token"].split(".")
    refused(anonymous, f"{header}.{encode({**claims, 'sub': '1'})}.{signature}")
    refused(anonymous, f"{header}.{payload}.{signature[::-1]}")
    refused(anonymous, f"{header}.{payload}.")


def test_without_a_signature(anonymous: Api, claims: dict[str, Any]) -> None:
    for algorithm in ("none", "None", "NONE"):
        refused(anonymous, f"{encode({'alg': algorithm, 'typ': 'JWT'})}.{encode(claims)}.")


def test_signed_with_another_secret(anonymous: Api, claims: dict[str, Any]) -> None:
    refused(anonymous, sign(claims, "another-secret-altogether-123456"))


def test_signed_right_but_never_issued(anonymous: Api, claims: dict[str, Any]) -> None:
    assert Api(anonymous.url, sign(claims)).get("/auth/me").status_code == 200, "the control"
    refused(anonymous, sign({**claims, "jti": "b3b7c3f0-0000-4000-8000-000000000000"}))
    refused(anonymous, sign({name: value for name, value in claims.items() if name != "jti"}))


def test_an_issued_id_does_not_serve_another(anonymous: Api, claims: dict[str, Any]) -> None:
    refused(anonymous, sign({**claims, "sub": "1"}))
    refused(anonymous, sign({**claims, "token_type": "refresh"}))


def test_expired(anonymous: Api, claims: dict[str, Any]) -> None:
    refused(anonymous, sign({**claims, "exp": int(time.time()) - 3600}))
    refused(anonymous, sign({name: value for name, value in claims.items() if name != "exp"}))
