"""Packs: getting them in, seeing them, replacing them, getting them out."""

import pytest

from support import contract
from support.api import Api, data, error, page
from support.packs import ECHO, archive_files, pack_files, small_pack, unique
from support.runs import begun


def action_refs(api: Api, pack: str) -> list[str]:
    return [item["ref"] for item in page(api.get(f"/api/v1/packs/{pack}/actions"))[0]]


@pytest.mark.parametrize("below", [".", "some-folder"])
def test_upload(admin: Api, below: str) -> None:
    ref = unique()
    archive = archive_files(pack_files(ref, echo=ECHO), below)
    uploaded = data(admin.upload(archive), 201)
    assert uploaded["pack"]["ref"] == ref
    assert uploaded["pack"]["version"] == "1.0.0"
    assert uploaded["tests_skipped"] in (True, False)
    assert "test_result" in uploaded
    assert action_refs(admin, ref) == [f"{ref}.echo"]
    assert admin.result(f"{ref}.echo", {"a": 1})["data"] == {"a": 1}


def test_what_an_uploaded_action_shows(admin: Api) -> None:
    ref = unique()
    data(admin.upload(small_pack(ref)), 201)
    action = data(admin.get(f"/api/v1/actions/{ref}.echo"))
    assert action["entrypoint"] == "echo.py"
    assert action["pack_ref"] == ref
    assert action["is_adhoc"] is False
    assert action["runtime_ref"] == "core.python"
    assert "workflow_def" not in action


def test_get_and_list(admin: Api) -> None:
    ref = unique()
    data(admin.upload(small_pack(ref)), 201)
    pack = data(admin.get(f"/api/v1/packs/{ref}"))
    assert pack.keys() >= contract.PACK
    assert pack["is_standard"] is False
    listed, pagination = page(admin.get("/api/v1/packs", page_size=100))
    assert all(item.keys() >= contract.PACK_SUMMARY for item in listed)
    refs = [item["ref"] for item in listed]
    assert ref in refs
    assert refs == sorted(refs)
    assert pagination["page"] == 1
    assert pagination["has_previous"] is False


def test_create_without_files(admin: Api) -> None:
    body = {"ref": unique(), "label": "Metadata only", "version": "0.1.0"}
    pack = data(admin.post("/api/v1/packs", body), 201)
    assert pack.keys() >= contract.PACK
    assert (pack["conf_schema"], pack["config"], pack["tags"]) == ({}, {}, [])
    error(admin.post("/api/v1/packs", body), 409, "CONFLICT")
    for field in body:
        incomplete = {name: value for name, value in body.items() if name != field}
        response = admin.post("/api/v1/packs", {"ref": unique(), **incomplete} | {field: None})
        assert response.status_code == 422, field
        assert field in response.text


def test_update(admin: Api) -> None:
    ref = unique()
    data(admin.post("/api/v1/packs", {"ref": ref, "label": "Old", "version": "1"}), 201)
    change = {"label": "New", "description": {"op": "set", "value": "told"}, "tags": ["a"]}
    pack = data(admin.put(f"/api/v1/packs/{ref}", change))
    assert (pack["label"], pack["description"], pack["tags"]) == ("New", "told", ["a"])
    pack = data(admin.put(f"/api/v1/packs/{ref}", {"description": {"op": "clear"}}))
    assert pack["description"] is None
    assert pack["version"] == "1"


def test_the_same_ref_twice(admin: Api) -> None:
    ref = unique()
    data(admin.upload(small_pack(ref)), 201)
    assert ref in error(admin.upload(small_pack(ref, "2.0.0")), 409, "CONFLICT")
    assert data(admin.get(f"/api/v1/packs/{ref}"))["version"] == "1.0.0"


def test_a_forced_upload_replaces(admin: Api) -> None:
    ref = unique()
    first = data(admin.upload(small_pack(ref, one="print(1)\n", two="print(2)\n")), 201)["pack"]
    kept = data(admin.get(f"/api/v1/actions/{ref}.one"))
    second = small_pack(ref, "2.0.0", one="print(11)\n", three="print(3)\n")
    pack = data(admin.upload(second, force=True), 201)["pack"]
    assert (pack["id"], pack["version"]) == (first["id"], "2.0.0")
    assert action_refs(admin, ref) == [f"{ref}.one", f"{ref}.three"]
    assert data(admin.get(f"/api/v1/actions/{ref}.one"))["id"] == kept["id"]
    error(admin.get(f"/api/v1/actions/{ref}.two"), 404, "NOT_FOUND")
    assert admin.result(f"{ref}.one")["data"] == 11


def test_a_forced_upload_keeps_ad_hoc_actions(admin: Api) -> None:
    ref = unique()
    data(admin.upload(small_pack(ref)), 201)
    adhoc = {"ref": f"{ref}.mine", "pack_ref": ref, "label": "Mine", "entrypoint": "echo hi"}
    data(admin.post("/api/v1/actions", adhoc), 201)
    data(admin.upload(small_pack(ref, "2.0.0"), force=True), 201)
    assert action_refs(admin, ref) == [f"{ref}.echo", f"{ref}.mine"]


def test_a_run_in_flight_keeps_its_version(admin: Api) -> None:
    ref = unique()
    late = (
        "import time\nprint('begun', flush=True)\ntime.sleep(1)\nimport answer\nprint(answer.IT)\n"
    )
    files = pack_files(ref, late=late)
    data(admin.upload(archive_files({**files, "lib/answer.py": b"IT = 1\n"})), 201)
    before = begun(admin, "late", pack=ref)
    data(admin.upload(archive_files({**files, "lib/answer.py": b"IT = 2\n"}), force=True), 201)
    assert admin.ended(before)["result"]["data"] == 1
    assert admin.result(f"{ref}.late")["data"] == 2


def test_delete(admin: Api) -> None:
    ref = unique()
    data(admin.upload(small_pack(ref)), 201)
    done = admin.result(f"{ref}.echo")
    assert done["succeeded"] is True
    response = admin.delete(f"/api/v1/packs/{ref}")
    assert response.status_code == 200
    assert response.json()["success"] is True
    error(admin.get(f"/api/v1/packs/{ref}"), 404, "NOT_FOUND")
    error(admin.get(f"/api/v1/actions/{ref}.echo"), 404, "NOT_FOUND")
    error(admin.delete(f"/api/v1/packs/{ref}"), 404, "NOT_FOUND")
    data(admin.upload(small_pack(ref)), 201)


def test_core_is_there_for_everybody(stranger: Api) -> None:
    assert "core" in [item["ref"] for item in page(stranger.get("/api/v1/packs"))[0]]
    core = data(stranger.get("/api/v1/packs/core"))
    assert core["is_standard"] is True
    assert core["version"] == "1.0.0"


def test_a_pack_is_invisible_to_others(admin: Api, stranger: Api) -> None:
    ref = unique()
    data(admin.upload(small_pack(ref)), 201)
    error(stranger.get(f"/api/v1/packs/{ref}"), 404, "NOT_FOUND")
    assert ref not in [item["ref"] for item in page(stranger.get("/api/v1/packs"))[0]]
    listed = page(stranger.get("/api/v1/actions", page_size=100))[0]
    assert f"{ref}.echo" not in [item["ref"] for item in listed]
    hits = page(stranger.get("/api/v1/actions/search", q=ref))[0]
    assert hits == []


def test_a_standard_pack_is_visible(admin: Api, stranger: Api) -> None:
    body = {"ref": unique(), "label": "Shared", "version": "1", "is_standard": True}
    data(admin.post("/api/v1/packs", body), 201)
    assert data(stranger.get(f"/api/v1/packs/{body['ref']}"))["label"] == "Shared"


def test_changing_packs_needs_grants(stranger: Api) -> None:
    body = {"ref": unique(), "label": "Mine", "version": "1"}
    refused = {
        "packs:create": stranger.post("/api/v1/packs", body),
        "packs:install": stranger.upload(small_pack(unique())),
        "packs:delete": stranger.delete("/api/v1/packs/core"),
    }
    for grant, response in refused.items():
        assert error(response, 403, "FORBIDDEN") == f"Insufficient permissions: {grant}"
