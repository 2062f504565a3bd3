"""Login, registration, the own identity, passwords."""

import pytest

from support.api import Api, data, error, tokens, unauthenticated
from support.packs import unique
from support.server import LOGIN, PASSWORD

GOOD = "a-good-password-77"


def test_login(anonymous: Api) -> None:
    pair = tokens(anonymous.post("/auth/login", {"login": LOGIN, "password": PASSWORD}))
    assert pair["token_type"] == "Bearer"
    assert pair["expires_in"] == 3600
    assert pair["user"]["login"] == LOGIN
    assert isinstance(pair["user"]["id"], int)
    assert "display_name" in pair["user"]


def test_wrong_password_and_unknown_login_look_the_same(anonymous: Api) -> None:
    wrong = anonymous.post("/auth/login", {"login": LOGIN, "password": "not-the-password"})
    unknown = anonymous.post("/auth/login", {"login": unique(), "password": "not-the-password"})
    error(wrong, 401, "UNAUTHORIZED")
    assert wrong.json() == unknown.json()


def test_registration(anonymous: Api) -> None:
    login = unique("user")
    body = {"login": login, "password": GOOD, "display_name": "A Person"}
    user = tokens(anonymous.post("/auth/register", body))["user"]
    assert (user["login"], user["display_name"]) == (login, "A Person")
    error(anonymous.post("/auth/register", body), 409, "CONFLICT")


@pytest.mark.parametrize(
    ("change", "field"),
    [
        ({"password": "short"}, "password"),
        ({"password": "x" * 129}, "password"),
        ({"login": "ab"}, "login"),
        ({"login": "x" * 256}, "login"),
        ({"password": None}, "password"),
        ({"login": 7}, "login"),
    ],
)
def test_registration_refuses(anonymous: Api, change: dict[str, object], field: str) -> None:
    body = {"login": unique("user"), "password": GOOD, **change}
    response = anonymous.post("/auth/register", body)
    assert response.status_code == 422
    assert response.json()["code"] in ("VALIDATION_ERROR", "UNPROCESSABLE_ENTITY")
    assert field in response.text


def test_me(admin: Api, stranger: Api) -> None:
    me = data(admin.get("/auth/me"))
    assert me["login"] == LOGIN
    assert (me["auth_provider"], me["is_local"], me["can_change_password"]) == ("local", True, True)
    assert me["assigned_permission_set_refs"] == ["core.admin"]
    granted = {entry["resource"]: set(entry["actions"]) for entry in me["effective_permissions"]}
    assert {"read", "create", "install", "configure", "delete"} <= granted["packs"]
    nobody = data(stranger.get("/auth/me"))
    assert nobody["effective_permissions"] == []
    assert nobody["assigned_permission_set_refs"] == []


def test_the_display_name_can_be_changed(stranger: Api) -> None:
    assert data(stranger.put("/auth/me", {"display_name": "New Name"}))["display_name"] == (
        "New Name"
    )
    assert data(stranger.get("/auth/me"))["display_name"] == "New Name"
    assert stranger.put("/auth/me", {"display_name": "x" * 256}).status_code == 422


def test_settings(anonymous: Api) -> None:
    settings = data(anonymous.get("/auth/settings"))
    assert settings["authentication_enabled"] is True
    assert settings["local_password_enabled"] is True
    assert settings["self_registration_enabled"] is True
    assert settings["oidc_enabled"] is False
    ldap = {name: value for name, value in settings.items() if name.startswith("ldap_")}
    assert ldap == {
        "ldap_enabled": False,
        "ldap_visible_by_default": False,
        "ldap_provider_name": None,
        "ldap_provider_label": None,
        "ldap_provider_icon_url": None,
    }


def test_ldap_login_validates_before_it_is_not_implemented(anonymous: Api) -> None:
    for body in ({}, {"login": "someone"}, {"login": "", "password": "x"}, {"login": "x"}):
        assert anonymous.post("/auth/ldap/login", body).status_code == 422, body
    response = anonymous.post("/auth/ldap/login", {"login": "someone", "password": "secret"})
    error(response, 501, "NOT_IMPLEMENTED")


def test_a_new_password_ends_the_old_sessions(anonymous: Api) -> None:
    login = unique("user")
    pair = tokens(anonymous.post("/auth/register", {"login": login, "password": GOOD}))
    user = Api(anonymous.url, pair["access_token"])
    change = {"current_password": "not-the-password", "new_password": "another-password-1"}
    assert user.post("/auth/change-password", change).status_code in (400, 401)
    change["current_password"] = GOOD
    assert user.post("/auth/change-password", {**change, "new_password": "x"}).status_code == 422
    assert user.post("/auth/change-password", change).status_code == 200
    unauthenticated(user.get("/auth/me"))
    refresh = {"refresh_token": pair["refresh_token"]}
    error(anonymous.post("/auth/refresh", refresh), 401, "UNAUTHORIZED")
    old = anonymous.post("/auth/login", {"login": login, "password": GOOD})
    error(old, 401, "UNAUTHORIZED")
    anonymous.login(login, "another-password-1")
