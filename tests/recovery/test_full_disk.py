"""A full disk refuses new work, clearly, and recovers by itself."""

import contextlib
import os
import subprocess
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from support.api import TERMINAL, Api, data, error
from support.packs import install_behaviour, small_pack, unique
from support.runs import begun
from support.server import Server
from support.wait import wait_until

EXECUTE = "/api/v1/executions/execute"
SAY = {"action_ref": "behaviour.say", "parameters": {"stdout": "x" * 20_000}}
SMALL = {"action_ref": "behaviour.say"}


# Ordinary users may mount as well, where they are root of a user namespace of their own.
ROOT = os.geteuid() == 0
UNSHARE = ("unshare", "--mount") if ROOT else ("unshare", "--mount", "--map-root-user")
NSENTER = ("nsenter", "--mount") if ROOT else ("nsenter", "--mount", "--user")
MOUNT = 'mount -t tmpfs -o size=512m,mode=0755 tmpfs "$0" && echo mounted && exec cat'


@dataclass
class Disk:
    """A small file system, which only processes within its namespaces can name."""

    path: Path
    # What enters the namespaces, to be put before a command.
    within: tuple[str, ...]


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Disk]:
    """A file system of its own, large enough to start on."""
    command = [*UNSHARE, "sh", "-c", MOUNT, str(tmp_path)]
    pipe = subprocess.PIPE
    with subprocess.Popen(command, stdin=pipe, stdout=pipe, stderr=pipe, text=True) as holder:
        assert holder.stdin is not None
        assert holder.stdout is not None
        assert holder.stderr is not None
        if not holder.stdout.readline():
            pytest.skip(f"A FULL DISK IS NOT TESTED: cannot mount: {holder.stderr.read().strip()}")
        within = (*NSENTER, "--preserve-credentials", "--target", str(holder.pid))
        # Seen from outside through a process within.
        yield Disk(Path(f"/proc/{holder.pid}/root{tmp_path}"), within)
        holder.stdin.close()


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
    small_disk: Disk, start_server: Callable[..., Server], signed_in: Callable[[Server], Api]
) -> None:
    server = start_server(data_dir=small_disk.path / "data", within=small_disk.within)
    api = signed_in(server)
    install_behaviour(api)
    assert api.run("behaviour.say", {"stdout": "before"})["status"] == "completed"
    filler = fill(small_disk.path)

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


@pytest.mark.allow_log("(?i)full|space|storage|disk|the time to finish is over|takes no ends")
def test_it_does_not_keep_the_server_from_stopping(
    small_disk: Disk, start_server: Callable[..., Server], signed_in: Callable[[Server], Api]
) -> None:
    disk = small_disk.path
    server = start_server(data_dir=disk / "data", within=small_disk.within, drain_seconds=1)
    api = signed_in(server)
    install_behaviour(api)
    number = begun(api)
    filler = fill(disk)

    def refused() -> bool:
        return api.post(EXECUTE, SMALL).status_code == 507

    wait_until(refused, timeout=30, what="a refusal")
    assert server.stop() == 0
    filler.unlink()
    assert signed_in(server.start()).ended(number)["status"] in TERMINAL
