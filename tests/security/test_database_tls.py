"""The way to PostgreSQL is encrypted, and the server knows whom it speaks to."""

import os
import shutil
import socket
import subprocess
import tempfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from support.api import Api
from support.postgres import Cluster, cluster
from support.server import BINARY, LOGIN, PASSWORD, Server


@dataclass
class Encrypted:
    """A cluster that takes TLS on a port, and the authority that vouches for it."""

    cluster: Cluster
    port: int
    authority: Path

    def url(self, **parameters: str | Path) -> str:
        given = "&".join(f"{name}={value}" for name, value in parameters.items())
        return f"postgres://attune@localhost:{self.port}/postgres?{given}"


@pytest.fixture(scope="module")
def encrypted() -> Iterator[Encrypted]:
    with tempfile.TemporaryDirectory(prefix="attune-tls-") as folder:
        authority, certificate, key = certified(Path(folder), "localhost")
        port = free_port()
        settings = {"ssl": "on", "ssl_cert_file": str(certificate), "ssl_key_file": str(key)}
        with cluster(listen_addresses="127.0.0.1", port=str(port), **settings) as running:
            yield Encrypted(running, port, authority)


def certified(folder: Path, host: str) -> tuple[Path, Path, Path]:
    """An authority of the test's own, and a certificate for `host` with its key."""
    authority, authority_key = folder / "authority.pem", folder / "authority.key"
    request, certificate, key = folder / "request", folder / "server.pem", folder / "server.key"
    new_key = ["openssl", "req", "-newkey", "rsa:2048", "-nodes", "-batch"]
    run([*new_key, "-x509", "-subj", "/CN=authority", "-keyout", authority_key, "-out", authority])
    run([*new_key, "-subj", f"/CN={host}", "-addext", f"subjectAltName=DNS:{host}",
         "-keyout", key, "-out", request])  # fmt: skip
    run(["openssl", "x509", "-req", "-in", request, "-copy_extensions", "copy",
         "-CA", authority, "-CAkey", authority_key, "-CAcreateserial",
         "-out", certificate])  # fmt: skip
    key.chmod(0o600)
    if os.getuid() == 0:
        # PostgreSQL runs as somebody else then, and takes no key that others may read.
        folder.chmod(0o755)
        shutil.chown(key, "nobody", "nogroup")
    return authority, certificate, key


def run(command: list[str | Path]) -> None:
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


def test_every_connection_is_encrypted(
    encrypted: Encrypted, start_server: Callable[..., Server]
) -> None:
    url = encrypted.url(sslmode="verify-full", sslrootcert=encrypted.authority)
    server = start_server(database_url=url, worker_name="encrypted")
    api = Api(server.url).login(LOGIN, PASSWORD)
    assert api.result("core.echo", {"message": "hello"})
    connections = encrypted.cluster.sql(
        "SELECT DISTINCT ssl FROM pg_stat_ssl JOIN pg_stat_activity USING (pid)"
        " WHERE application_name = 'attune'"
    )
    assert connections == "t"


@pytest.mark.parametrize(
    ("mode", "host", "authority"),
    [
        ("verify-full", "127.0.0.1", "ours"),
        ("verify-full", "localhost", "another"),
        ("verify-ca", "localhost", "another"),
    ],
)
def test_an_impostor_is_refused(
    encrypted: Encrypted, tmp_path: Path, mode: str, host: str, authority: str
) -> None:
    trusted = encrypted.authority if authority == "ours" else certified(tmp_path, "other")[0]
    url = encrypted.url(sslmode=mode, sslrootcert=trusted).replace("localhost", host)
    done = subprocess.run(
        [str(BINARY), "serve", f"--data-dir={tmp_path / 'data'}", "--listen=127.0.0.1:0"],
        env={"PATH": os.environ["PATH"], "ATTUNE_DATABASE_URL": url},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == 1
    assert "certificate" in done.stderr, done.stderr
