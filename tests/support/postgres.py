"""A PostgreSQL of the tests' own, gone with them.

`python -m support.postgres COMMAND ARGUMENT...` runs a command beside one; the variable
`ATTUNE_TEST_POSTGRES` is then its URL.
"""

import itertools
import os
import shutil
import signal
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from support.processes import tree

ROOT = Path(__file__).resolve().parents[2]
URL = "ATTUNE_TEST_POSTGRES"

# Nobody cuts the power here, so nothing waits for the disk.
SETTINGS = {"listen_addresses": "", "fsync": "off", "max_connections": "200"}

# PostgreSQL refuses to run as root.
AS_NOBODY = ("setpriv", "--reuid=nobody", "--regid=nogroup", "--clear-groups")


class Cluster:
    """One database server: a folder, a socket in it, and the processes."""

    def __init__(self, home: Path, within: tuple[str, ...] = (), **settings: str) -> None:
        """`within` are words before each command: where its processes run."""
        self.home = home
        self._within = within
        self._settings = {**SETTINGS, **settings, "unix_socket_directories": str(home)}
        self._data = home / "data"
        self._programs = newest_programs()
        self._numbers = itertools.count()

    def create(self) -> "Cluster":
        """Make the folder's content and start."""
        if os.getuid() == 0:
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

    @contextmanager
    def silent(self) -> Iterator[None]:
        """It takes what is sent and says nothing, as one does that is gone without a word."""
        postmaster = int((self._data / "postmaster.pid").read_text().split()[0])
        os.kill(postmaster, signal.SIGSTOP)
        stopped = tree(postmaster)
        for pid in stopped:
            os.kill(pid, signal.SIGSTOP)
        try:
            yield
        finally:
            # The postmaster last: until then those that have ended meanwhile keep their numbers.
            for pid in reversed(stopped):
                os.kill(pid, signal.SIGCONT)

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
        """Run a statement as `psql` does."""
        return psql(url or self.url(), statement)

    def _run(self, program: str, *arguments: str) -> None:
        # pg_ctl leaves the server with its own output; a pipe would never end.
        said = self.home / "said"
        as_user = AS_NOBODY if os.getuid() == 0 else ()
        command = [*self._within, *as_user, str(self._programs / program)]
        with said.open("w") as output:
            done = subprocess.run(
                [*command, f"--pgdata={self._data}", *arguments],
                cwd=self.home,
                stdout=output,
                stderr=output,
                check=False,
            )
        assert done.returncode == 0, f"{program}: {said.read_text()}"


def psql(url: str, statement: str) -> str:
    """Run a statement; rows come as lines with `|` between columns."""
    command = [str(newest_programs() / "psql"), "--no-psqlrc", "--tuples-only", "--no-align"]
    command += ["--set=ON_ERROR_STOP=1", f"--command={statement}", url]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout.strip()


def newest_programs() -> Path:
    """Debian keeps PostgreSQL's own programs off the PATH, a folder for each version."""
    found = sorted(Path("/usr/lib/postgresql").glob("*/bin"), key=lambda path: int(path.parts[4]))
    assert found, "PostgreSQL is missing; .config/prepare.sh test installs it"
    return found[-1]


@contextmanager
def holding(url: str, statement: str) -> Iterator[None]:
    """A transaction that has done this, and holds its locks until the block is left."""
    command = [str(newest_programs() / "psql"), "--no-psqlrc", "--quiet", url]
    pipe = subprocess.PIPE
    with subprocess.Popen(command, stdin=pipe, stdout=pipe, text=True) as session:
        assert session.stdin is not None
        assert session.stdout is not None
        session.stdin.write(f"BEGIN;\n{statement};\n\\echo done\n")
        session.stdin.flush()
        while session.stdout.readline().strip() != "done":
            assert session.poll() is None, "psql has ended"
        yield


@contextmanager
def cluster(within: tuple[str, ...] = (), **settings: str) -> Iterator[Cluster]:
    """A running cluster with settings of PostgreSQL's own; it leaves nothing behind."""
    # A socket's path is short, so this is not below pytest's folders.
    with tempfile.TemporaryDirectory(prefix="attune-pg-") as home:
        made = Cluster(Path(home), within, **settings).create()
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
