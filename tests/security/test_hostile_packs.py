"""Hostile and careless uploads: a clear refusal, and nothing half-installed."""

from collections.abc import Callable
from pathlib import Path

import pytest

from support import archives, manifests
from support.api import Api, data, error, page
from support.packs import small_pack, unique
from support.server import Server

Maker = Callable[[str], bytes]


@pytest.mark.parametrize("make", archives.ALL + manifests.ALL, ids=lambda make: make.__name__)
def test_refused_without_a_trace(admin: Api, server: Server, make: Maker) -> None:
    ref = unique("hostile")
    before = folders(server)
    response = admin.upload(make(ref))
    assert 400 <= response.status_code < 500, f"{response.status_code}: {response.text[:300]}"
    message = response.json()["error"]
    assert len(message) > 10, "says what is wrong"
    assert str(server.data) not in message, "and nothing about the server's disk"
    error(admin.get(f"/api/v1/packs/{ref}"), 404, "NOT_FOUND")
    error(admin.get(f"/api/v1/actions/{ref}.run"), 404, "NOT_FOUND")
    listed = page(admin.get("/api/v1/packs", page_size=100))[0]
    assert ref not in [item["ref"] for item in listed]
    assert folders(server) == before
    assert not escaped(ref, server)
    data(admin.upload(small_pack(ref)), 201)


def folders(server: Server) -> set[Path]:
    """All that stands in the data directory, but for the database, the cache and run scratch."""
    own = ("attune.db", "cache", "scratch", "run")
    paths = (path.relative_to(server.data) for path in server.data.rglob("*"))
    return {path for path in paths if not path.parts[0].startswith(own)}


def escaped(ref: str, server: Server) -> list[Path]:
    around = [Path("/tmp"), Path("/"), server.home, server.data.parent]
    found = [path for folder in around for path in folder.glob(f"{ref}_escaped.txt")]
    return found + list(server.data.rglob(f"{ref}_escaped.txt"))


def test_a_refused_replacement_leaves_the_old_version(admin: Api) -> None:
    ref = unique()
    data(admin.upload(small_pack(ref, run="print(1)\n")), 201)
    for make in (archives.symlink, archives.truncated, manifests.action_without_its_file):
        assert admin.upload(make(ref), force=True).status_code in range(400, 500)
    assert data(admin.get(f"/api/v1/packs/{ref}"))["version"] == "1.0.0"
    assert admin.result(f"{ref}.run")["data"] == 1


def test_nobody_replaces_core(admin: Api) -> None:
    for force in (False, True):
        assert admin.upload(small_pack("core"), force=force).status_code in (403, 404, 409, 422)
    assert admin.result("core.echo", {"message": "mine"})["stdout"] == "mine"
