"""A full disk refuses new work, clearly, and recovers by itself."""

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from support.api import TERMINAL, Api, data, error
from support.disk import Disk, mounted
from support.packs import install_behaviour, small_pack, unique
from support.runs import accepted_until_full, begun
from support.server import Server
from support.wait import wait_until

EXECUTE = "/api/v1/executions/execute"
SAY = {"action_ref": "behaviour.say", "parameters": {"stdout": "x" * 20_000}}
SMALL = {"action_ref": "behaviour.say"}


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Disk]:
    """A file system of its own, large enough to start on."""
    with mounted(tmp_path, "512m") as disk:
        yield disk


@pytest.mark.allow_log("(?i)full|space|storage|disk")
def test_full_and_free_again(
    small_disk: Disk, start_server: Callable[..., Server], signed_in: Callable[[Server], Api]
) -> None:
    server = start_server(data_dir=small_disk.path / "data", within=small_disk.within)
    api = signed_in(server)
    install_behaviour(api)
    assert api.run("behaviour.say", {"stdout": "before"})["status"] == "completed"
    filler = small_disk.fill()
    accepted = accepted_until_full(api)
    error(api.upload(small_pack(unique())), 507, "INSUFFICIENT_STORAGE")
    assert api.get("/health").status_code == 200
    assert data(api.get("/api/v1/packs/behaviour"))["ref"] == "behaviour"
    assert server.running

    filler.unlink()
    wait_until(lambda: api.post(EXECUTE, SAY).status_code == 201, what="an acceptance")
    for number in accepted:
        assert api.ended(number)["status"] in TERMINAL
    assert api.result("behaviour.say", {"stdout": "after"})["stdout"] == "after"
    data(api.upload(small_pack(unique())), 201)
    assert server.stop() == 0


@pytest.mark.allow_log("(?i)full|space|storage|disk|the time to finish is over|takes no ends")
def test_it_does_not_keep_the_server_from_stopping(
    small_disk: Disk, start_server: Callable[..., Server], signed_in: Callable[[Server], Api]
) -> None:
    server = start_server(
        data_dir=small_disk.path / "data", within=small_disk.within, drain_seconds=1
    )
    api = signed_in(server)
    install_behaviour(api)
    number = begun(api)
    filler = small_disk.fill()

    def refused() -> bool:
        return api.post(EXECUTE, SMALL).status_code == 507

    wait_until(refused, timeout=30, what="a refusal")
    assert server.stop() == 0
    filler.unlink()
    assert signed_in(server.start()).ended(number)["status"] in TERMINAL
