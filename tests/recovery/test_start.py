"""First and later starts: credentials, secrets, settings, one server for each folder."""

import re
import subprocess
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from support.api import SECRETS, Api, data, error
from support.packs import unique
from support.server import BINARY, CACHE, LOGIN, PASSWORD, Server, default_variables, link_tree

StartServer = Callable[..., Server]
BOOTSTRAP = ("ATTUNE_BOOTSTRAP_LOGIN", "ATTUNE_BOOTSTRAP_PASSWORD")
GENERATED = re.compile(r"login:\s+(\S+)\s+password:\s+(\S+)")


def test_credentials_are_made_up_and_shown_once(start_server: StartServer) -> None:
    server = start_server(without=BOOTSTRAP)
    login, password = shown_credentials(server)
    api = Api(server.url).login(login, password)
    assert data(api.get("/auth/me"))["assigned_permission_set_refs"] == ["core.admin"]
    assert server.stop() == 0
    server.start()
    assert not GENERATED.search(server.output)
    Api(server.url).login(login, password)


def test_credentials_outlive_a_sandbox_that_did_not_start(
    start_server: StartServer, tmp_path: Path
) -> None:
    folder = tmp_path / "data"
    folder.mkdir()
    (folder / "cache").write_text("a file where the sandbox wants a folder")
    start_in_vain(folder, Path("/dev/null"))
    (folder / "cache").unlink()
    server = start_server(data_dir=folder, without=BOOTSTRAP)
    Api(server.url).login(*shown_credentials(server))


def test_credentials_outlive_a_stdout_that_did_not_take_them(
    start_server: StartServer, tmp_path: Path
) -> None:
    folder = tmp_path / "data"
    link_tree(CACHE, folder / "cache")
    start_in_vain(folder, Path("/dev/full"))
    server = start_server(data_dir=folder, without=BOOTSTRAP)
    Api(server.url).login(*shown_credentials(server))


def start_in_vain(folder: Path, stdout: Path) -> None:
    """A first start that fails, for which no credentials are given."""
    variables = {name: text for name, text in default_variables().items() if name not in BOOTSTRAP}
    command = [str(BINARY), "serve", "--listen", "127.0.0.1:0", "--data-dir", str(folder)]
    with stdout.open("wb") as output:
        done = subprocess.run(
            command, env=variables, stdout=output, stderr=subprocess.PIPE, timeout=60, check=False
        )
    assert done.returncode == 1, done.stderr


def shown_credentials(server: Server) -> tuple[str, str]:
    shown = GENERATED.search(server.output)
    assert shown, server.output
    login, password = shown.groups()
    SECRETS.add(password)
    return login, password


def test_a_made_up_signing_secret_is_kept(start_server: StartServer) -> None:
    server = start_server(without=("JWT_SECRET",))
    token = Api(server.url).register(unique("user"), "a-good-password-77").token
    assert server.stop() == 0
    server.start()
    assert Api(server.url, token).get("/auth/me").status_code == 200
    private = [path for path in server.data.iterdir() if path.is_file()]
    assert private
    assert all(path.stat().st_mode & 0o077 == 0 for path in private), "for its owner alone"


def test_registration_can_be_closed(start_server: StartServer) -> None:
    api = Api(start_server(self_registration="off").url)
    body = {"login": unique("user"), "password": "a-good-password-77"}
    error(api.post("/auth/register", body), 403, "FORBIDDEN")
    assert data(api.get("/auth/settings"))["self_registration_enabled"] is False


def test_limits_are_settings(start_server: StartServer) -> None:
    server = start_server(limits_wall_ms=500, max_body_bytes=2000)
    api = Api(server.url).login(LOGIN, PASSWORD)
    long = {"action_ref": "core.echo", "parameters": {"message": "x" * 3000}}
    assert api.post("/api/v1/executions/execute", long).status_code == 413
    assert api.result("core.echo", {"message": "short"})["stdout"] == "short"


@pytest.mark.parametrize("flag", ["--data-dir", "--listen"])
def test_what_another_server_holds(start_server: StartServer, flag: str) -> None:
    """The folder and the port: a second server says what is wrong, and does not start."""
    server = start_server()
    taken = {"--data-dir": str(server.data), "--listen": server.url.removeprefix("http://")}
    free = {"--data-dir": str(server.home / "other"), "--listen": "127.0.0.1:0"}
    chosen = free | {flag: taken[flag]}
    command = [str(BINARY), "serve", *(word for pair in chosen.items() for word in pair)]
    second = subprocess.run(
        command, env=server.variables, capture_output=True, text=True, timeout=60, check=False
    )
    assert second.returncode not in (0, 101), second.stderr
    assert taken[flag] in second.stderr
    assert Api(server.url).get("/health").status_code == 200


def test_a_restart_is_quick(start_server: StartServer) -> None:
    """Two seconds are the promise; the rest is for a busy machine."""
    server = start_server()
    assert server.stop() == 0
    began = time.monotonic()
    server.start()
    assert time.monotonic() - began < 5
