"""Actions: lists, search, and those made by API."""

import pytest

from support import contract
from support.api import Api, Json, data, error, page
from support.packs import small_pack, unique


@pytest.fixture
def pack(admin: Api) -> str:
    ref = unique()
    data(admin.upload(small_pack(ref)), 201)
    return ref


def adhoc(pack: str, name: str = "mine") -> Json:
    return {"ref": f"{pack}.{name}", "pack_ref": pack, "label": "Mine", "entrypoint": "echo hi"}


def test_the_list_counts_its_pages(admin: Api, pack: str) -> None:
    everything, pagination = page(admin.get("/api/v1/actions", per_page=100))
    assert pagination["page_size"] == 50, "actions take page_size; per_page is ignored"
    assert pagination["total_items"] >= len(everything)
    assert pagination["total_pages"] == -(-pagination["total_items"] // 50)
    seen: list[str] = []
    for number in range(1, 1000):
        items, pagination = page(admin.get("/api/v1/actions", page=number, page_size=3))
        seen += [item["ref"] for item in items]
        if not pagination["has_next"]:
            break
    assert seen == sorted(set(seen))
    assert len(seen) == pagination["total_items"]
    assert f"{pack}.echo" in seen


def test_page_size_is_capped(admin: Api) -> None:
    assert page(admin.get("/api/v1/actions", page_size=1000))[1]["page_size"] == 100


def test_create_get_update_delete(admin: Api, pack: str) -> None:
    body = {**adhoc(pack), "description": "told", "param_schema": {"a": {"type": "string"}}}
    created = data(admin.post("/api/v1/actions", body), 201)
    assert created.keys() >= contract.ACTION
    assert created["is_adhoc"] is True
    assert created["param_schema"] == body["param_schema"]
    path = f"/api/v1/actions/{body['ref']}"
    assert data(admin.get(path)) == created
    error(admin.post("/api/v1/actions", body), 409, "CONFLICT")
    updated = data(admin.put(path, {"label": "Yours", "entrypoint": "other"}))
    assert (updated["label"], updated["entrypoint"]) == ("Yours", "other")
    assert updated["description"] == "told"
    response = admin.delete(path)
    assert response.status_code == 200
    assert response.json()["success"] is True
    error(admin.get(path), 404, "NOT_FOUND")
    error(admin.put(path, {"label": "x"}), 404, "NOT_FOUND")
    error(admin.delete(path), 404, "NOT_FOUND")


@pytest.mark.parametrize("field", ["ref", "pack_ref", "label", "entrypoint"])
@pytest.mark.parametrize("value", [None, 7, "", "x" * 2000])
def test_create_names_the_bad_field(admin: Api, pack: str, field: str, value: object) -> None:
    response = admin.post("/api/v1/actions", {**adhoc(pack), field: value})
    assert response.status_code == 422, response.text
    assert response.json()["code"] in ("VALIDATION_ERROR", "UNPROCESSABLE_ENTITY")
    assert field in response.text


def test_create_in_an_unknown_pack(admin: Api) -> None:
    error(admin.post("/api/v1/actions", adhoc(unique())), 404, "NOT_FOUND")


def test_unknown_body_fields_are_ignored(admin: Api, pack: str) -> None:
    data(admin.post("/api/v1/actions", {**adhoc(pack), "no_such_field": [1]}), 201)


def test_an_ad_hoc_action_without_content_fails_when_it_runs(admin: Api, pack: str) -> None:
    body = {**adhoc(pack), "runtime_ref": "core.python", "entrypoint": "nothing.py"}
    data(admin.post("/api/v1/actions", body), 201)
    ended = admin.run(body["ref"])
    assert ended["status"] == "failed"
    assert "executable content" in ended["result"]["error"]


def test_search(admin: Api, pack: str) -> None:
    hits = page(admin.get("/api/v1/actions/search", q="ECHO", packs=f"{pack},core"))[0]
    assert [hit["ref"] for hit in hits] == sorted(["core.echo", f"{pack}.echo"])
    assert hits[0].keys() >= {"ref", "pack_ref", "label", "is_workflow", "accesses_mcp"}
    only = page(admin.get("/api/v1/actions/search", q="echo", packs=pack))[0]
    assert [hit["ref"] for hit in only] == [f"{pack}.echo"]
    assert page(admin.get("/api/v1/actions/search", q=unique()))[0] == []


def test_by_pack(admin: Api, pack: str) -> None:
    items, pagination = page(admin.get(f"/api/v1/packs/{pack}/actions"))
    assert [item["ref"] for item in items] == [f"{pack}.echo"]
    assert "total_pages" in pagination
    error(admin.get(f"/api/v1/packs/{unique()}/actions"), 404, "NOT_FOUND")


def test_without_grants(stranger: Api, admin: Api) -> None:
    assert "core.echo" in [item["ref"] for item in page(stranger.get("/api/v1/actions"))[0]]
    assert data(stranger.get("/api/v1/actions/core.echo"))["ref"] == "core.echo"
    refused = {
        "actions:create": stranger.post("/api/v1/actions", adhoc("core", unique())),
        "actions:update": stranger.put("/api/v1/actions/core.echo", {"label": "x"}),
        "actions:delete": stranger.delete("/api/v1/actions/core.echo"),
        "actions:execute": stranger.post(
            "/api/v1/executions/execute", {"action_ref": "core.echo", "parameters": {}}
        ),
    }
    for grant, response in refused.items():
        assert error(response, 403, "FORBIDDEN") == f"Insufficient permissions: {grant}"
    assert admin.result("core.echo", {"message": "still there"})["succeeded"] is True


def test_only_what_the_caller_may_execute(admin: Api, stranger: Api) -> None:
    query = {"executable_with_current_access": "true"}
    assert page(stranger.get("/api/v1/actions", **query))[0] == []
    assert page(admin.get("/api/v1/actions", **query))[0] != []
