"""Keys: values of all types, expiry, compare-and-set, counting, owners, and who may see what."""

import concurrent.futures
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from support.api import Api, Json, data, error, page
from support.contract import KEY
from support.keys import ENCRYPTION, KEYS, Caller, add_key, increment, new_key, planted, value_of
from support.packs import unique
from support.wait import wait_until

VALUES = [
    None, True, False, 0, -7, 2**63, 1.5, "", "text", "\u0000 and ä 🔑", [], {},
    [1, [2, {"a": None}]], {"b": 1, "a": {"x": [True]}},
]  # fmt: skip


def test_a_key_reads_back(admin: Api) -> None:
    ref = unique("key")
    made = data(admin.post(KEYS, new_key(ref, {"token": [1, 2.5, None]}, encrypted=True)), 201)
    assert made.keys() >= KEY
    assert made["ref"] == made["name"] == ref
    assert (made["owner_type"], made["owner"], made["encrypted"]) == ("system", None, True)
    assert made["value"] == {"token": [1, 2.5, None]}
    assert made["version"] == 1
    assert "expires_at" not in made
    assert datetime.fromisoformat(made["created"]) == datetime.fromisoformat(made["updated"])
    assert data(admin.get(f"{KEYS}/{ref}")) == made


@pytest.mark.parametrize("value", VALUES, ids=repr)
def test_types_are_kept(admin: Api, value: Any) -> None:
    made = add_key(admin, value)
    read = value_of(admin, made["ref"])
    assert read == value
    assert type(read) is type(value)


def test_a_key_is_changed_and_deleted(admin: Api) -> None:
    ref = add_key(admin, "old")["ref"]
    path = f"{KEYS}/{ref}"
    changed = data(admin.put(path, {"value": {"now": "new"}, "name": "Name"}))
    assert (changed["value"], changed["name"], changed["version"]) == ({"now": "new"}, "Name", 2)
    assert data(admin.put(path, {"encrypted": True}))["encrypted"] is True
    assert data(admin.put(path, {"value": None}))["value"] == {"now": "new"}, "null is no change"
    deleted = admin.delete(path)
    assert deleted.status_code == 200
    assert deleted.json()["success"] is True
    error(admin.get(path), 404, "NOT_FOUND")
    error(admin.delete(path), 404, "NOT_FOUND")
    error(admin.put(path, {"value": 1}), 404, "NOT_FOUND")
    assert add_key(admin, 1, ref)["version"] == 1


def test_a_ref_is_taken_once(admin: Api) -> None:
    ref = add_key(admin, 1)["ref"]
    error(admin.post(KEYS, new_key(ref, 2)), 409, "CONFLICT")
    assert value_of(admin, ref) == 1


@pytest.mark.parametrize("ref", ["plain", "with.dots", "a/b c?d=ü", "..", "%2f"])
def test_refs_are_free_form(admin: Api, ref: str) -> None:
    ref = f"{unique('k')}{ref}"
    add_key(admin, 7, ref)
    url = "".join(f"%{byte:02X}" for byte in ref.encode())
    assert data(admin.http.get(f"{KEYS}/{url}"))["value"] == 7


@pytest.mark.parametrize(
    ("change", "field"),
    [
        ({"ref": "Upper"}, "ref"),
        ({"ref": ""}, "ref"),
        ({"ref": "x" * 256}, "ref"),
        ({"name": ""}, "name"),
        ({"owner_type": "nobody"}, "owner_type"),
        ({"owner_type": None}, "owner_type"),
        ({"owner_type": "pack"}, "owner_pack_ref"),
        ({"owner_type": "pack", "owner_action_ref": "core.echo"}, "owner_action_ref"),
        ({"owner_type": "system", "owner": "core"}, "owner"),
        ({"owner_type": "identity", "owner": "somebody"}, "owner"),
        ({"ttl_seconds": 0}, "ttl_seconds"),
        ({"ttl_seconds": 60, "expires_at": "2099-01-01T00:00:00Z"}, "ttl_seconds"),
        ({"expires_at": "2001-01-01T00:00:00Z"}, "expires_at"),
        ({"value": "x" * 2**20}, "value"),
    ],
)
def test_what_is_wrong_is_named(admin: Api, change: Json, field: str) -> None:
    secret = planted()
    body = {**new_key(unique("key"), [secret]), **change}
    response = admin.post(KEYS, body)
    error(response, 422, "VALIDATION_ERROR")
    assert response.json()["details"]["field"] == field
    assert secret not in response.text
    assert "xxxxxxxxxx" not in response.text


def test_a_value_is_required(admin: Api) -> None:
    body = new_key(unique("key"), 1)
    del body["value"]
    error(admin.post(KEYS, body), 422, "VALIDATION_ERROR")


def test_lists(admin: Api) -> None:
    stem = unique("list")
    for letter in "cab":
        add_key(admin, planted(), f"{stem}.{letter}", owner_type="pack", owner="core")
    rows, pagination = page(admin.get(KEYS, owner_type="pack", owner="core", per_page=1000))
    mine = [row for row in rows if row["ref"].startswith(stem)]
    assert [row["ref"] for row in mine] == [f"{stem}.{letter}" for letter in "abc"]
    assert all("value" not in row for row in rows)
    assert {row["owner"] for row in rows} == {"core"}
    assert pagination["total_items"] == len(rows)
    first, cut = page(admin.get(KEYS, owner_type="pack", per_page=1, page=2))
    assert (len(first), cut["has_previous"], cut["page_size"]) == (1, True, 1)
    assert all(
        row["owner_type"] == "system" for row in page(admin.get(KEYS, owner_type="system"))[0]
    )
    error(admin.get(KEYS, owner_type="nobody"), 422, "VALIDATION_ERROR")


# Expiry.


def test_an_expired_key_is_gone_at_once(admin: Api) -> None:
    made = add_key(admin, "short", ttl_seconds=1)
    ref, path = made["ref"], f"{KEYS}/{made['ref']}"
    assert datetime.fromisoformat(made["expires_at"]) - datetime.fromisoformat(
        made["created"]
    ) == timedelta(seconds=1)
    wait_until(lambda: admin.get(path).status_code == 404, what="the key to expire")
    error(admin.put(path, {"value": 1}), 404, "NOT_FOUND")
    error(admin.post(f"{path}/increment", {}), 404, "NOT_FOUND")
    rows, _ = page(admin.get(KEYS, per_page=1000))
    assert ref not in [row["ref"] for row in rows]
    again = add_key(admin, "again", ref)
    assert again["id"] != made["id"]
    assert value_of(admin, ref) == "again"


def test_an_expiry_is_changed(admin: Api) -> None:
    ref = add_key(admin, 1)["ref"]
    path = f"{KEYS}/{ref}"
    soon = data(admin.put(path, {"ttl_seconds": 3600}))["expires_at"]
    assert (
        timedelta(minutes=58)
        < datetime.fromisoformat(soon) - datetime.now(UTC)
        < timedelta(minutes=61)
    )
    assert data(admin.put(path, {"value": 2}))["expires_at"] == soon
    increment(admin, ref)
    assert data(admin.get(path))["expires_at"] == soon
    assert data(admin.put(path, {"expires_at": "2099-01-02T03:04:05Z"}))["expires_at"].startswith(
        "2099"
    )
    assert "expires_at" not in data(admin.put(path, {"expires_at": None}))
    error(admin.put(path, {"ttl_seconds": 1, "expires_at": None}), 422, "VALIDATION_ERROR")
    data(admin.put(path, {"ttl_seconds": 1}))
    wait_until(lambda: admin.get(path).status_code == 404, what="the key to expire")


# Compare-and-set, and counting.


def test_compare_and_set(admin: Api) -> None:
    ref = add_key(admin, {"a": 1, "b": 2})["ref"]
    path = f"{KEYS}/{ref}"
    text = error(admin.put(path, {"value": 0, "expected_version": 7}), 409, "CONFLICT")
    assert "version 1" in text
    secret = planted()
    refused = admin.put(path, {"value": 0, "expected_value": {"b": 2, "a": secret}})
    error(refused, 409, "CONFLICT")
    assert secret not in refused.text
    assert value_of(admin, ref) == {"a": 1, "b": 2}
    # Objects are equal in any order.
    done = data(admin.put(path, {"value": 0, "expected_value": {"b": 2, "a": 1}}))
    assert (done["value"], done["version"]) == (0, 2)
    assert data(admin.put(path, {"value": 1, "expected_version": 2}))["version"] == 3


def test_one_of_many_wins_a_compare_and_set(admin: Api) -> None:
    ref = add_key(admin, "free")["ref"]

    def take(number: int) -> int:
        body = {"value": f"taken by {number}", "expected_version": 1}
        return admin.put(f"{KEYS}/{ref}", body).status_code

    with concurrent.futures.ThreadPoolExecutor(8) as pool:
        statuses = list(pool.map(take, range(16)))
    assert sorted(statuses) == [200] + [409] * 15


def test_of_many_increments_none_is_lost(admin: Api) -> None:
    ref = add_key(admin, 0)["ref"]
    with concurrent.futures.ThreadPoolExecutor(8) as pool:
        sums = list(pool.map(lambda _: increment(admin, ref), range(100)))
    assert sorted(sums) == list(range(1, 101))
    assert value_of(admin, ref) == 100


def test_counting(admin: Api) -> None:
    ref = add_key(admin, 5)["ref"]
    assert increment(admin, ref, by=10) == 15
    assert increment(admin, ref, by=-20) == -5
    other = add_key(admin, 1.5)["ref"]
    assert increment(admin, other) == 2.5
    for value in ("1", None, [1], {}, True, 2**64 - 1):
        wrong = add_key(admin, value)["ref"]
        error(admin.post(f"{KEYS}/{wrong}/increment", {}), 422, "VALIDATION_ERROR")
        assert value_of(admin, wrong) == value
    error(admin.post(f"{KEYS}/{ref}/increment", {"by": "one"}), 422, "VALIDATION_ERROR")
    error(admin.post(f"{KEYS}/{unique('none')}/increment", {}), 404, "NOT_FOUND")


# Owners.


def test_owners(admin: Api) -> None:
    core = data(admin.get("/api/v1/packs/core"))
    echo = data(admin.get("/api/v1/actions/core.echo"))
    me = data(admin.get("/auth/me"))["id"]
    by_ref = add_key(admin, 1, owner_type="pack", owner_pack_ref="core")
    by_id = add_key(admin, 1, owner_type="pack", owner_pack=core["id"])
    for made in (by_ref, by_id):
        owner = (made["owner"], made["owner_pack"], made["owner_pack_ref"])
        assert owner == ("core", core["id"], "core")
        assert made["owner_action"] is made["owner_identity"] is None
    made = add_key(admin, 1, owner_type="action", owner_action_ref="core.echo")
    owner = (made["owner"], made["owner_action"], made["owner_action_ref"])
    assert owner == ("core.echo", echo["id"], "core.echo")
    made = add_key(admin, 1, owner_type="identity")
    assert (made["owner"], made["owner_identity"]) == (str(me), me)
    for owner_type, field in [("pack", "owner_pack_ref"), ("action", "owner_action_ref"),
                              ("sensor", "owner_sensor_ref")]:  # fmt: skip
        body = new_key(unique("key"), 1, owner_type=owner_type) | {field: "no.such"}
        error(admin.post(KEYS, body), 404, "NOT_FOUND")


def test_keys_go_with_their_pack(admin: Api) -> None:
    caller = Caller(admin)
    of_pack = add_key(admin, 1, owner_type="pack", owner=caller.ref)["ref"]
    of_action = add_key(admin, 1, owner_type="action", owner=caller.action)["ref"]
    assert admin.delete(f"/api/v1/packs/{caller.ref}").status_code == 200
    for ref in (of_pack, of_action):
        error(admin.get(f"{KEYS}/{ref}"), 404, "NOT_FOUND")


# Who may do what.


def test_a_stranger_has_nothing(admin: Api, stranger: Api) -> None:
    ref = add_key(admin, planted())["ref"]
    for refused in (
        stranger.get(KEYS),
        stranger.get(f"{KEYS}/{ref}"),
        stranger.get(f"{KEYS}/{unique('none')}"),
        stranger.post(KEYS, new_key(unique("key"), 1)),
        stranger.put(f"{KEYS}/{ref}", {"value": 1}),
        stranger.delete(f"{KEYS}/{ref}"),
        stranger.post(f"{KEYS}/{ref}/increment", {}),
        stranger.get(ENCRYPTION),
        stranger.post(f"{ENCRYPTION}/rotate", {"what": "data_key"}),
    ):
        assert "Insufficient permissions" in error(refused, 403, "FORBIDDEN")


@pytest.mark.parametrize(
    ("role", "value", "statuses"),
    [
        # read, create, update, delete
        ("core.admin", "hush", (200, 201, 200, 200)),
        ("core.editor", "hush", (200, 403, 200, 403)),
        ("core.executor", None, (200, 403, 403, 403)),
        ("core.viewer", None, (200, 403, 403, 403)),
    ],
)
def test_roles(admin: Api, role: str, value: str | None, statuses: tuple[int, ...]) -> None:
    """As executions that have them; nothing in this version gives people a role."""
    ref, new = add_key(admin, "hush")["ref"], unique("key")
    answers = Caller(admin).send(
        ("GET", f"{KEYS}/{ref}", None),
        ("POST", KEYS, new_key(new, 1)),
        ("PUT", f"{KEYS}/{ref}", {"name": "changed"}),
        ("DELETE", f"{KEYS}/{ref}", None),
        ("GET", KEYS, None),
        sets=[role],
    )
    assert tuple(status for status, _ in answers[:4]) == statuses
    assert answers[0][1]["data"]["value"] == value
    assert answers[4][0] == 200
    assert all("value" not in row for row in answers[4][1]["items"])


def test_a_persons_keys_are_theirs_alone(admin: Api) -> None:
    """An execution of the admin's is the admin; another person's key is nobody else's."""
    mine = add_key(admin, "mine", owner_type="identity")["ref"]
    assert value_of(admin, mine) == "mine"
    rows, _ = page(admin.get(KEYS, owner_type="identity", per_page=1000))
    assert mine in [row["ref"] for row in rows]
    other = Api(admin.url).register(unique("user"), "password-of-another")
    theirs = data(other.get("/auth/me"))["id"]
    body = new_key(unique("key"), 1, owner_type="identity", owner_identity=theirs)
    error(admin.post(KEYS, body), 403, "FORBIDDEN")


def test_the_standard_set_gives_an_execution_its_own(admin: Api) -> None:
    caller, other = Caller(admin), Caller(admin)
    expected = {}
    for owner_type, owner, may in [
        ("action", caller.action, True),
        ("pack", caller.ref, True),
        ("action", other.action, False),
        ("pack", other.ref, False),
        ("system", None, False),
        ("identity", None, False),
    ]:
        ref = add_key(admin, "hush", owner_type=owner_type, owner=owner)["ref"]
        expected[ref] = may
    calls: list[tuple[str, str, Any]] = [("GET", f"{KEYS}/{ref}", None) for ref in expected]
    listed, *answers = caller.send(("GET", KEYS, None), *calls, sets=["standard"])
    assert {row["ref"] for row in listed[1]["items"]} == {ref for ref in expected if expected[ref]}
    for (status, body), (ref, may) in zip(answers, expected.items(), strict=True):
        assert (status, body.get("data", {}).get("value")) == (
            (200, "hush") if may else (404, None)
        ), ref


def test_what_is_done_is_audited(admin: Api) -> None:
    secret = planted()
    made = add_key(admin, secret)
    path = f"{KEYS}/{made['ref']}"
    admin.get(path)
    admin.put(path, {"value": [secret]})
    admin.delete(path)
    rows, _ = page(admin.get("/api/v1/audit-events", resource_type="key", resource_id=made["id"]))
    told = [row["event_type"] for row in reversed(rows)]
    assert told == ["key.create", "key.read", "key.update", "key.delete"]
    for row in rows:
        event = admin.get(f"/api/v1/audit-events/{row['id']}")
        assert data(event)["category"] == "secret"
        assert data(event)["resource_ref"] == made["ref"]
        assert secret not in event.text


def test_rotation(admin: Api) -> None:
    refs = [add_key(admin, number)["ref"] for number in range(30)]
    before = data(admin.get(ENCRYPTION))
    rotated = data(admin.post(f"{ENCRYPTION}/rotate", {"what": "data_key"}))
    assert rotated["data_key"] != before["data_key"]
    assert [value_of(admin, ref) for ref in refs] == list(range(30))
    wait_until(
        lambda: data(admin.get(ENCRYPTION))["retired_data_keys"] == 0, what="values sealed anew"
    )
    assert [value_of(admin, ref) for ref in refs] == list(range(30))
    same = data(admin.post(f"{ENCRYPTION}/rotate", {"what": "master_key"}))
    assert (same["master_key"], same["rewrapped"]) == (before["master_key"], 0)
    error(admin.post(f"{ENCRYPTION}/rotate", {"what": "luck"}), 422, "VALIDATION_ERROR")
