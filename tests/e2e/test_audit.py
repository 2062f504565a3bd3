"""The audit: what actions were denied, for those who may read it."""

from support.api import Api, Json, data, error, page
from support.guests import Guest
from support.wait import wait_until

EVENTS = "/api/v1/audit-events"
SUMMARY = """
    id created category event_type outcome actor_identity actor_login resource_type resource_ref
"""


def denials(api: Api, execution: int) -> list[Json]:
    found, _ = page(api.get(EVENTS, resource_type="execution", resource_id=execution))
    return found


def counts(api: Api, execution: int) -> list[int]:
    """How many denials each row stands for, the latest first."""
    events = [data(api.get(f"{EVENTS}/{row['id']}")) for row in denials(api, execution)]
    return [event["details"]["count"] for event in events]


def test_a_denial_is_recorded_with_all_there_is_to_know(admin: Api) -> None:
    guest = Guest(admin)
    number = guest.submit("fetch", url="http://example.com:8080/secret?query=1")
    admin.ended(number)
    [denial] = denials(admin, number)
    assert set(denial) == set(SUMMARY.split())
    assert (denial["category"], denial["event_type"]) == ("execution", "egress.denied")
    assert (denial["outcome"], denial["resource_ref"]) == ("denied", f"{guest.ref}.fetch")
    me = data(admin.get("/auth/me"))
    assert (denial["actor_identity"], denial["actor_login"]) == (me["id"], me["login"])
    event = data(admin.get(f"{EVENTS}/{denial['id']}"))
    assert event["resource_id"] == number
    details = event["details"]
    assert (details["host"], details["port"]) == ("example.com", 8080)
    assert "permissions" in details["reason"]
    assert "secret" not in str(event)


def test_what_a_run_is_denied_again_and_again_is_counted(admin: Api) -> None:
    number = Guest(admin).submit("insist", url="http://example.com/", times=30)
    assert admin.ended(number)["status"] == "completed"
    assert counts(admin, number)[-1] == 1, "the first one is told of at once"
    wait_until(lambda: sum(counts(admin, number)) == 30, what="every denial in a row")
    assert len(counts(admin, number)) <= 3


def test_filters(admin: Api) -> None:
    number = Guest(admin).submit("fetch", url="http://example.com/")
    admin.ended(number)

    def count(**query: str | int) -> int:
        return len(page(admin.get(EVENTS, resource_id=number, **query))[0])

    assert count(category="execution", event_type="egress.denied", outcome="denied") == 1
    assert count(outcome="success") == count(category="auth") == 0
    assert count(created_before="2020-01-01T00:00:00Z") == 0
    text = error(admin.get(EVENTS, outcome="maybe"), 400, "BAD_REQUEST")
    assert "success, failure, denied" in text


def test_it_is_not_for_everybody(admin: Api, stranger: Api) -> None:
    error(stranger.get(EVENTS), 403, "FORBIDDEN")
    error(stranger.get(f"{EVENTS}/1"), 403, "FORBIDDEN")
    error(admin.get(f"{EVENTS}/999999999"), 404, "NOT_FOUND")
