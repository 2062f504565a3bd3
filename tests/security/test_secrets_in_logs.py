"""Secrets never reach the log. The log check of every test looks for them; this one says them."""

import pytest

from support.api import SECRETS, Api
from support.packs import unique
from support.server import LOGIN, PASSWORD, Server


@pytest.mark.parametrize("path", ["/auth/login", "/auth/register", "/auth/ldap/login"])
def test_passwords_in_requests(anonymous: Api, path: str) -> None:
    secret = unique("a-password-that-is-wrong")
    SECRETS.add(secret)
    for body in ({"login": LOGIN, "password": secret}, {"password": secret}, secret):
        response = anonymous.post(path, body)
        if path != "/auth/register" or body != {"login": LOGIN, "password": secret}:
            assert response.status_code >= 400
        assert secret not in response.text


def test_secrets_in_places_where_they_do_not_belong(anonymous: Api) -> None:
    secret = unique("secret")
    SECRETS.add(secret)
    anonymous.http.get("/auth/me", headers={"Authorization": f"Bearer {secret}"})
    anonymous.http.get("/auth/me", headers={"Authorization": f"Basic {secret}"})
    anonymous.http.get("/auth/me", params={"token": secret})
    anonymous.http.post("/auth/login", content=f'{{"login": "x", "password": "{secret}"')


def test_secret_parameters(behaviour: Api) -> None:
    secret = unique("secret")
    SECRETS.add(secret)
    behaviour.run("behaviour.strict", {"name": "a", "token": secret})
    behaviour.run("behaviour.strict", {"token": [secret]})
    ended = behaviour.run("behaviour.environment", env_vars={"TOKEN": secret})
    assert ended["status"] == "completed"


def test_the_whole_log_so_far(server: Server) -> None:
    log = server.log.read_text()
    assert PASSWORD not in log
    assert not [secret for secret in SECRETS if secret in log]
