"""A server of the test's own: started, spoken to through its process, stopped."""

import os
import re
import shutil
import signal
import subprocess
from pathlib import Path

from support.wait import wait_until

ROOT = Path(__file__).resolve().parents[2]
BINARY = Path(os.environ.get("ATTUNE_BINARY", ROOT / "target" / "release" / "attune"))
# Compiling the Python runtime takes seconds: what one server compiled, later ones start with.
CACHE = ROOT / "target" / "test-cache"

LOGIN = "bootstrap"
PASSWORD = "bootstrap-password-9f2c"
JWT_SECRET = "jwt-secret-of-the-tests-4d1e77"
# Base64 of 32 bytes, as servers that share a database have to have the same.
MASTER_KEY = "bWFzdGVyLWtleS1vZi10aGUtdGVzdHMtLS0tLS05YzE="
# In the server's environment and nowhere else: no guest may see it.
HOST_CANARY = "canary-of-the-host-31b7"

READY = re.compile(r"attune is ready on (http://\S+)")
METRICS = re.compile(r"metrics for everybody on (http://\S+)/metrics")


class Server:
    """One `attune serve` and its data directory; may be started again after it stopped."""

    def __init__(self, home: Path, data_dir: Path | None = None, **settings: str | int) -> None:
        """`settings` become flags: `drain_seconds=5` is `--drain-seconds 5`."""
        self.home = home
        self.variables = default_variables()
        # Words before the command: where and as whom it runs.
        self.within: tuple[str, ...] = ()
        # Not for a server of another user: whoever links a file shares its owner.
        self.shares_cache = True
        self.data = data_dir or home / "data"
        self.log = home / "server.log"
        self.url = ""
        self.settings = settings
        self._output = home / "server.out"
        self._process: subprocess.Popen[bytes] | None = None
        home.mkdir(parents=True, exist_ok=True)

    def start(self, listen: str = "127.0.0.1:0") -> "Server":
        """Start and wait until it says that it is ready."""
        assert not self.running, "already started"
        if self.shares_cache:
            link_tree(CACHE, self.data / "cache")
        command = [*self.within, str(BINARY), "serve"]
        command += ["--listen", listen, "--data-dir", str(self.data)]
        for name, value in self.settings.items():
            command += [f"--{name.replace('_', '-')}", str(value)]
        with self._output.open("wb") as output, self.log.open("ab") as log:
            self._process = subprocess.Popen(
                command, stdout=output, stderr=log, env=self.variables, start_new_session=True
            )
        wait_until(self._ready, timeout=90, what="the server to be ready")
        if self.shares_cache:
            link_tree(self.data / "cache", CACHE)
        return self

    def _ready(self) -> bool:
        code = self.process.poll()
        assert code is None, f"the server ended with {code}:\n{self.log.read_text()[-2000:]}"
        found = READY.search(self.output)
        if found:
            self.url = found[1].rstrip("/")
        return found is not None

    @property
    def process(self) -> subprocess.Popen[bytes]:
        assert self._process is not None, "never started"
        return self._process

    @property
    def running(self) -> bool:
        return self._process is not None and self._process.poll() is None

    @property
    def pid(self) -> int:
        return self.process.pid

    @property
    def output(self) -> str:
        """What it has said on stdout since its last start."""
        return self._output.read_text()

    @property
    def metrics_url(self) -> str:
        """Where `--metrics-listen` has it listen; without a slash at the end."""
        found = METRICS.search(self.output)
        assert found, self.output
        return found[1]

    def ask_to_stop(self) -> None:
        """SIGTERM: the server drains."""
        self.process.send_signal(signal.SIGTERM)

    def interrupt(self) -> None:
        """What Ctrl-C does at a terminal: SIGINT to all processes of the server's group."""
        os.killpg(self.process.pid, signal.SIGINT)

    def wait(self, timeout: float = 30) -> int:
        return self.process.wait(timeout)

    def stop(self) -> int:
        self.ask_to_stop()
        return self.wait()

    def kill(self) -> None:
        """SIGKILL to the server alone, as the kernel does when memory is short."""
        self.process.kill()
        self.process.wait()

    def close(self) -> None:
        """Leave nothing running, whatever happened."""
        if self.running:
            self.process.kill()
            self.process.wait()


def default_variables() -> dict[str, str]:
    """The server's whole environment."""
    return {
        "PATH": os.environ["PATH"],
        "HOME": os.environ.get("HOME", "/"),
        "ATTUNE_BOOTSTRAP_LOGIN": LOGIN,
        "ATTUNE_BOOTSTRAP_PASSWORD": PASSWORD,
        "JWT_SECRET": JWT_SECRET,
        "ATTUNE_MASTER_KEY": MASTER_KEY,
        "HOST_CANARY": HOST_CANARY,
    }


def forget_old_builds(keep: int = 3) -> None:
    """Each build of the Python runtime leaves 60 MB in the cache; servers copy all of it."""
    compiled = sorted(CACHE.glob("*.cwasm"), key=lambda path: path.stat().st_mtime)
    for path in compiled[:-keep]:
        path.unlink(missing_ok=True)


def link_tree(source: Path, target: Path) -> None:
    """Give `target` the files of `source` that it lacks, without their bytes where possible."""
    for path in source.rglob("*"):
        there = target / path.relative_to(source)
        if path.is_file() and not there.exists():
            there.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
            try:
                there.hardlink_to(path)
            except OSError:
                shutil.copy2(path, there)
