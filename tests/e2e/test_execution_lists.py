"""Lists of executions: order, pages, filters, counts."""

from collections.abc import Iterator

import pytest

from support import contract
from support.api import Api, Json, data, error, page
from support.packs import small_pack, unique

PATH = "/api/v1/executions"


@pytest.fixture
def pack(admin: Api) -> str:
    ref = unique()
    failing = "import sys\nsys.exit(3)\n"
    data(admin.upload(small_pack(ref, good="print(1)\n", bad=failing)), 201)
    return ref


def ids(api: Api, **query: object) -> list[int]:
    return [item["id"] for item in page(api.get(PATH, **query))[0]]


def pages(api: Api, **query: object) -> Iterator[tuple[list[Json], Json]]:
    for number in range(1, 100):
        items, pagination = page(api.get(PATH, page=number, **query))
        yield items, pagination
        if not pagination["has_next"]:
            break


def test_a_hundred_in_pages_of_twenty(admin: Api, pack: str) -> None:
    """T3.22."""
    submitted = [admin.submit(f"{pack}.good")["id"] for _ in range(100)]
    for number in submitted:
        admin.ended(number)
    seen = list(pages(admin, pack_name=pack, per_page=20, include_total="true"))
    assert [len(items) for items, _ in seen] == [20] * 5
    listed = [item["id"] for items, _ in seen for item in items]
    assert listed == submitted[::-1], "newest first, no gaps, no duplicates"
    assert all(item.keys() >= contract.EXECUTION_SUMMARY for items, _ in seen for item in items)
    for position, (_, pagination) in enumerate(seen, 1):
        assert pagination["page"] == position
        assert (pagination["total_items"], pagination["total_pages"]) == (100, 5)
        assert pagination["has_previous"] == (position > 1)
        assert pagination["has_next"] == (position < 5)
    again = [item["id"] for items, _ in pages(admin, pack_name=pack, per_page=20) for item in items]
    assert again == listed


def test_totals_only_when_asked_for(admin: Api) -> None:
    pagination = page(admin.get(PATH))[1]
    assert pagination["page_size"] == 20
    assert pagination.keys().isdisjoint({"total_items", "total_pages"})
    assert page(admin.get(PATH, per_page=1000))[1]["page_size"] == 100


def test_a_page_beyond_the_last(admin: Api, pack: str) -> None:
    items, pagination = page(admin.get(PATH, pack_name=pack, page=9))
    assert items == []
    assert pagination["has_next"] is False


def test_filters(admin: Api, pack: str) -> None:
    good = admin.run(f"{pack}.good")["id"]
    bad = admin.run(f"{pack}.bad")["id"]
    me = data(admin.get("/auth/me"))["id"]
    assert ids(admin, pack_name=pack) == [bad, good]
    assert ids(admin, pack_name=pack, status="failed") == [bad]
    assert ids(admin, action_ref=f"{pack}.good") == [good]
    assert ids(admin, action_ref=f"{pack}.good", status="failed") == []
    assert ids(admin, pack_name=pack, executor=me) == [bad, good]
    assert ids(admin, pack_name=pack, executor=me + 1000) == []
    assert ids(admin, pack_name=pack, result_contains="exited with code 3") == [bad]
    assert ids(admin, pack_name=pack, top_level_only="true") == [bad, good]
    assert ids(admin, pack_name=pack, parent=good) == []
    assert ids(admin, pack_name=pack, enforcement=1) == []
    assert ids(admin, pack_name=pack, rule_ref="core.none") == []
    assert ids(admin, pack_name=pack, trigger_ref="core.none") == []
    assert ids(admin, pack_name=pack, no_such_filter=1) == [bad, good]


def test_wildcards_are_text(admin: Api, pack: str) -> None:
    admin.run(f"{pack}.bad")
    for text in ("%", "with_code", "\\"):
        assert ids(admin, pack_name=pack, result_contains=text) == [], text


def test_a_bad_filter(admin: Api) -> None:
    assert admin.get(PATH, status="no-such-status").status_code in (400, 422)


def test_by_status(admin: Api, pack: str) -> None:
    bad = admin.run(f"{pack}.bad")["id"]
    items, _ = page(admin.get(f"{PATH}/status/failed"))
    assert items[0]["id"] == bad
    assert {item["status"] for item in items} == {"failed"}
    error(admin.get(f"{PATH}/status/no-such-status"), 400, "BAD_REQUEST")


def test_stats(admin: Api, pack: str) -> None:
    before = data(admin.get(f"{PATH}/stats"))
    assert before.keys() == {
        *("total", "completed", "failed", "running", "pending"),
        *("cancelled", "timeout", "abandoned"),
    }
    admin.run(f"{pack}.good")
    admin.run(f"{pack}.bad")
    after = data(admin.get(f"{PATH}/stats"))
    grown = {name: after[name] - before[name] for name in ("total", "completed", "failed")}
    assert grown == {"total": 2, "completed": 1, "failed": 1}


def test_executions_outlive_their_action(admin: Api, pack: str) -> None:
    done = admin.run(f"{pack}.good")
    assert admin.delete(f"/api/v1/packs/{pack}").status_code == 200
    kept = admin.execution(done["id"])
    assert kept["action"] is None
    assert kept["action_ref"] == f"{pack}.good"
    assert kept["result"] == done["result"]
