"""A PostgreSQL of the tests' own, gone with them.

`python -m support.postgres COMMAND ARGUMENT...` runs a command beside one; the variable
`ATTUNE_TEST_POSTGRES` is then its URL.
"""

import itertools
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
URL = "ATTUNE_TEST_POSTGRES"

# Nobody cuts the power here, so nothing waits for the disk.
SETTINGS = {"listen_addresses": "", "fsync": "off", "max_connections": "200"}


class Cluster:
    """One database server: a folder, a socket in it, and the processes."""

    def __init__(self, home: Path, **settings: str) -> None:
        self.home = home
        self._settings = {**SETTINGS, **settings, "unix_socket_directories": str(home)}
        self._data = home / "data"
        self._programs = newest_programs()
        self._numbers = itertools.count()

    def create(self) -> "Cluster":
        """Make the folder's content and start."""
        if os.getuid() == 0:
            # PostgreSQL refuses to run as root.
            shutil.chown(self.home, "nobody", "nogroup")
        self._run("initdb", "--username=attune", "--auth=trust", "--encoding=UTF8",
                  "--locale=C.UTF-8", "--no-sync")  # fmt: skip
        return self.start()

    def start(self) -> "Cluster":
        options = " ".join(f"-c {name}={value!r}" for name, value in self._settings.items())
        self._run("pg_ctl", "--wait", f"--log={self.log}", f"--options={options}", "start")
        return self

    def stop(self, mode: str = "immediate") -> None:
        """`immediate` leaves the database as a crash would, `fast` closes it."""
        self._run("pg_ctl", "--wait", f"--mode={mode}", "stop")

    @property
    def log(self) -> Path:
        return self._data / "server.log"

    def url(self, database: str = "postgres") -> str:
        port = self._settings.get("port", "5432")
        return f"postgres://attune@localhost:{port}/{database}?host={self.home}"

    def new_database(self) -> str:
        """The URL of an empty one."""
        name = f"attune_{next(self._numbers)}"
        self.sql(f"CREATE DATABASE {name}")
        return self.url(name)

    def sql(self, statement: str, url: str | None = None) -> str:
        """Run a statement; rows come as lines with `|` between columns."""
        command = [str(self._programs / "psql"), "--no-psqlrc", "--tuples-only", "--no-align"]
        command += ["--set=ON_ERROR_STOP=1", f"--command={statement}", url or self.url()]
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stderr
        return done.stdout.strip()

    def _run(self, program: str, *arguments: str) -> None:
        # pg_ctl leaves the server with its own output; a pipe would never end.
        said = self.home / "said"
        as_user = {"user": "nobody", "group": "nogroup", "extra_groups": []}
        with said.open("w") as output:
            done = subprocess.run(
                [self._programs / program, f"--pgdata={self._data}", *arguments],
                cwd=self.home,
                stdout=output,
                stderr=output,
                check=False,
                **(as_user if os.getuid() == 0 else {}),  # type: ignore[call-overload]
            )
        assert done.returncode == 0, f"{program}: {said.read_text()}"


def newest_programs() -> Path:
    """Debian keeps PostgreSQL's own programs off the PATH, a folder for each version."""
    found = sorted(Path("/usr/lib/postgresql").glob("*/bin"), key=lambda path: int(path.parts[4]))
    assert found, "PostgreSQL is missing; .config/prepare.sh test installs it"
    return found[-1]


@contextmanager
def cluster(**settings: str) -> Iterator[Cluster]:
    """A running cluster with settings of PostgreSQL's own; it leaves nothing behind."""
    # A socket's path is short, so this is not below pytest's folders.
    with tempfile.TemporaryDirectory(prefix="attune-pg-") as home:
        made = Cluster(Path(home), **settings).create()
        try:
            yield made
        finally:
            made.stop()


if __name__ == "__main__":
    with cluster() as beside:
        ended = subprocess.run(
            sys.argv[1:], cwd=ROOT, env=os.environ | {URL: beside.url()}, check=False
        )
    sys.exit(ended.returncode)
