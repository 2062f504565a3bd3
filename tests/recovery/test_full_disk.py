"""A full disk refuses new work, clearly, and recovers by itself."""

import contextlib
import os
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from support.api import TERMINAL, Api, data, error
from support.packs import install_behaviour, small_pack, unique
from support.server import Server
from support.wait import wait_until

EXECUTE = "/api/v1/executions/execute"
SAY = {"action_ref": "behaviour.say", "parameters": {"stdout": "x" * 20_000}}


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A file system of its own, large enough to start on."""
    disk = tmp_path / "disk"
    disk.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", "size=512m,mode=0755", "tmpfs", str(disk)]
    done = subprocess.run(mount, capture_output=True, text=True, check=False)
    if done.returncode != 0:
        pytest.skip(f"cannot mount a small file system here: {done.stderr.strip()}")
    yield disk
    subprocess.run(["umount", "-l", str(disk)], check=True)


def fill(disk: Path) -> Path:
    """Write a file that takes all that is left."""
    filler = disk / "filler"
    with filler.open("wb", buffering=0) as file:
        for size in (1 << 20, 1 << 12):
            with contextlib.suppress(OSError):
                while True:
                    file.write(bytes(size))
    assert os.statvfs(disk).f_bavail == 0
    return filler


@pytest.mark.allow_log("(?i)full|space|storage|disk")
def test_full_and_free_again(
    small_disk: Path, start_server: Callable[..., Server], signed_in: Callable[[Server], Api]
) -> None:
    server = start_server(data_dir=small_disk / "data")
    api = signed_in(server)
    install_behaviour(api)
    assert api.run("behaviour.say", {"stdout": "before"})["status"] == "completed"
    filler = fill(small_disk)

    accepted: list[int] = []

    def refusal() -> str:
        response = api.post(EXECUTE, SAY)
        if response.status_code == 201:
            # The database still had room in its own files.
            accepted.append(data(response, 201)["id"])
            return ""
        return error(response, 507, "INSUFFICIENT_STORAGE")

    wait_until(refusal, timeout=30, what="a refusal")
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
