"""T3.13: parameters that do not fit are accepted at the door and fail before a runner is used."""

import pytest

from support.api import Api, Json, data
from support.packs import small_pack, unique


@pytest.mark.parametrize(
    ("sent", "named"),
    [
        ({}, "name"),
        ({"name": 7}, "name"),
        ({"name": "a", "count": "many"}, "count"),
        ({"name": "a", "count": 0}, "count"),
        ({"name": "a", "colour": "blue"}, "colour"),
    ],
)
def test_a_violation_names_the_parameter(
    behaviour: Api, sent: dict[str, object], named: str
) -> None:
    accepted = behaviour.submit("behaviour.strict", sent)
    assert accepted["config"] == sent
    ended = behaviour.ended(accepted["id"])
    assert ended["status"] == "failed"
    assert named in ended["result"]["error"]
    assert ended["result"]["failure_reason"] == "parameters"
    assert ended["result"]["succeeded"] is False
    assert ended["result"]["usage"]["fuel"] == 0, "no runner was used"
    assert "started_at" not in ended or ended["started_at"] is None


def test_defaults_are_for_the_action_only(behaviour: Api) -> None:
    ended = behaviour.run("behaviour.strict", {"name": "a"})
    assert ended["result"]["data"] == {"name": "a", "count": 3}
    assert ended["config"] == {"name": "a"}


def test_extra_parameters_are_passed_on(behaviour: Api) -> None:
    sent = {"name": "a", "count": 9, "other": {"deep": [1]}}
    assert behaviour.result("behaviour.strict", sent)["data"] == sent


def test_secret_parameters_are_redacted(behaviour: Api) -> None:
    ended = behaviour.run("behaviour.strict", {"name": "a", "token": "hush-hush"})
    assert ended["result"]["data"]["token"] == "***", "the action saw it, and told it"
    assert ended["config"]["name"] == "a"
    assert "hush-hush" not in str(ended["config"])
    path = f"/api/v1/executions/{ended['id']}"
    asked = data(behaviour.get(path, include_secret_values="true"))
    assert asked["config"]["token"] == "hush-hush", "core.admin holds executions:decrypt"


def test_a_secret_stays_one_whatever_becomes_of_the_action(admin: Api) -> None:
    ref = unique()
    data(admin.upload(small_pack(ref)), 201)
    path = f"/api/v1/actions/{ref}.echo"
    secret = {"type": "string", "secret": True}
    specs: dict[str, Json] = {
        "password": secret,
        "properties": {"type": "object"},
        "login": {"allOf": [{"properties": {"token": secret}}]},
    }
    data(admin.put(path, {"param_schema": specs}))
    sent = {"password": "hush", "properties": {"a": 1}, "login": {"token": "hush"}}
    shown = {"password": "***", "properties": {"a": 1}, "login": "***"}
    ended = admin.run(f"{ref}.echo", sent)
    assert (ended["config"], ended["result"]["data"]) == (shown, sent)
    data(admin.put(path, {"param_schema": {}}))
    assert admin.execution(ended["id"])["config"] == shown
    assert admin.delete(path).status_code == 200
    assert admin.execution(ended["id"])["config"] == shown


def test_no_parameters(behaviour: Api) -> None:
    body = {"action_ref": "behaviour.say"}
    accepted = data(behaviour.post("/api/v1/executions/execute", body), 201)
    assert accepted["config"] is None
    assert behaviour.ended(accepted["id"])["status"] == "completed"
