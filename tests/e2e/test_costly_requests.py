"""Requests that would keep the server busy for long are refused at the door."""

import json

import pytest

from support.api import Api, Json, data, error
from support.packs import archive_files, pack_files, small_pack, unique

HOSTILE: list[Json] = [
    {"type": "object", "properties": {"a": {"$ref": "#/$defs/a"}}, "$defs": {"a": {}}},
    {"a": {"type": "object", "unevaluatedProperties": False}},
    {"a": {"enum": list(range(6000))}},
]


@pytest.mark.parametrize("schema", HOSTILE)
def test_by_api(admin: Api, schema: Json) -> None:
    pack = unique()
    data(admin.upload(small_pack(pack)), 201)
    action = {"ref": f"{pack}.a", "pack_ref": pack, "label": "A", "entrypoint": "a.py"}
    refusal = admin.post("/api/v1/actions", action | {"param_schema": schema})
    assert error(refusal, 422, "VALIDATION_ERROR").startswith("param_schema: ")
    data(admin.post("/api/v1/actions", action), 201)
    path = f"/api/v1/actions/{pack}.a"
    refusal = admin.put(path, {"param_schema": schema})
    assert error(refusal, 422, "VALIDATION_ERROR").startswith("param_schema: ")
    assert data(admin.get(path))["param_schema"] is None


def test_by_upload(admin: Api) -> None:
    pack = unique()
    files = pack_files(pack, echo="print(1)")
    files["actions/echo.yaml"] += f"parameters: {json.dumps(HOSTILE[0])}\n".encode()
    refusal = admin.upload(archive_files(files))
    assert refusal.status_code == 422
    assert "actions/echo.yaml" in refusal.json()["error"]
    assert "$ref" in refusal.json()["error"]
    assert admin.get(f"/api/v1/packs/{pack}").status_code == 404


def test_a_secret_that_does_not_fit_is_not_shown(admin: Api) -> None:
    pack = unique()
    data(admin.upload(small_pack(pack)), 201)
    secret = {"type": "string", "secret": True, "minLength": 12, "required": True}
    action = {"ref": f"{pack}.a", "pack_ref": pack, "label": "A", "entrypoint": "echo.py"}
    action |= {"runtime_ref": "core.python", "param_schema": {"token": secret}}
    data(admin.post("/api/v1/actions", action), 201)
    ended = admin.run(f"{pack}.a", {"token": "hunter2"})
    assert ended["status"] == "failed"
    assert "token" in ended["result"]["error"]
    shown = admin.get(f"/api/v1/executions/{ended['id']}").text
    assert "hunter2" not in shown


@pytest.mark.parametrize(
    ("path", "name"), [("actions/search", "q"), ("executions", "result_contains")]
)
def test_a_text_to_search_for_has_a_length(admin: Api, path: str, name: str) -> None:
    assert admin.get(f"/api/v1/{path}", **{name: "x" * 1000}).status_code == 200
    refusal = admin.get(f"/api/v1/{path}", **{name: "x" * 1001})
    assert refusal.status_code == 400
    assert "1000 characters" in refusal.json()["error"]


def test_a_body_of_very_many_values(admin: Api) -> None:
    body = b'{"action_ref": "core.echo", "parameters": {"a": [' + b'{"":0},' * 100_000 + b"0]}}"
    refusal = admin.http.post("/api/v1/executions/execute", content=body)
    assert "100000 values" in error(refusal, 422, "VALIDATION_ERROR")
