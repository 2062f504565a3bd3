"""A small file system of a test's own, to be filled."""

import contextlib
import os
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest

# Ordinary users may mount as well, where they are root of a user namespace of their own.
ROOT = os.geteuid() == 0
UNSHARE = ("unshare", "--mount") if ROOT else ("unshare", "--mount", "--map-root-user")
NSENTER = ("nsenter", "--mount") if ROOT else ("nsenter", "--mount", "--user")
MOUNT = 'mount -t tmpfs -o "size=$1,mode=0755" tmpfs "$0" && echo mounted && exec cat'


@dataclass
class Disk:
    """A small file system, which only processes within its namespaces can name."""

    path: Path
    # What enters the namespaces, to be put before a command.
    within: tuple[str, ...]

    def fill(self) -> Path:
        """Write a file that takes all that is left."""
        filler = self.path / "filler"
        with filler.open("wb", buffering=0) as file:
            for size in (1 << 20, 1 << 12):
                with contextlib.suppress(OSError):
                    while True:
                        file.write(bytes(size))
        assert os.statvfs(self.path).f_bavail == 0
        return filler


@contextmanager
def mounted(folder: Path, size: str) -> Iterator[Disk]:
    """A file system at this folder, gone after it."""
    command = [*UNSHARE, "sh", "-c", MOUNT, str(folder), size]
    pipe = subprocess.PIPE
    with subprocess.Popen(command, stdin=pipe, stdout=pipe, stderr=pipe, text=True) as holder:
        assert holder.stdin is not None
        assert holder.stdout is not None
        assert holder.stderr is not None
        if not holder.stdout.readline():
            pytest.skip(f"A FULL DISK IS NOT TESTED: cannot mount: {holder.stderr.read().strip()}")
        within = (*NSENTER, "--preserve-credentials", "--target", str(holder.pid))
        # Seen from outside through a process within.
        yield Disk(Path(f"/proc/{holder.pid}/root{folder}"), within)
        holder.stdin.close()
