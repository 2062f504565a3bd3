"""What is stored is sealed: nobody who has the disk, and not the master key, has the values."""

import base64
import secrets
import subprocess
import threading
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

import pytest

from conftest import database
from support.api import SECRETS, Api, data
from support.cli import Cli
from support.keys import ENCRYPTION, KEYS, add_key, increment, planted, traces, value_of
from support.native import Programs, Shell, python, shell
from support.packs import ECHO, unique
from support.postgres import Cluster, cluster
from support.server import BINARY, LOGIN, PASSWORD, Server
from support.sse import log_events, log_text
from support.wait import wait_until

StartServer = Callable[..., Server]


def signed_in(server: Server) -> Api:
    return Api(server.url).login(LOGIN, PASSWORD)


def new_master() -> str:
    key = base64.b64encode(secrets.token_bytes(32)).decode()
    SECRETS.add(key)
    return key


def all_sealed_anew(api: Api) -> bool:
    return bool(data(api.get(ENCRYPTION))["retired_data_keys"] == 0)


def with_file(start_server: StartServer, **settings: str) -> Server:
    """A server that keeps its master key in a file, as one does that was told nothing."""
    server = start_server(without=("ATTUNE_MASTER_KEY",), **settings)
    SECRETS.update(line for line in master_file(server).read_text().split() if line)
    return server


def master_file(server: Server) -> Path:
    return server.data / "master.key"


def refused_start(server: Server, **variables: str) -> str:
    """What a server says that does not start."""
    command = [str(BINARY), "serve", "--listen", "127.0.0.1:0", "--data-dir", str(server.data)]
    for name, value in server.settings.items():
        command += [f"--{name.replace('_', '-')}", str(value)]
    done = subprocess.run(
        command, env=server.variables | variables, capture_output=True, text=True, timeout=60,
        check=False,
    )  # fmt: skip
    assert done.returncode not in (0, 101), done.stderr
    return done.stderr


def use_secrets(api: Api) -> list[str]:
    """Create, change, compare, delete and rotate with planted secrets; all that were there."""
    first, second, third, name = planted(), planted(), planted(), unique("key")
    add_key(api, {"password": first, "list": [first]}, name, encrypted=True)
    data(api.put(f"{KEYS}/{name}", {"value": second}))
    api.put(f"{KEYS}/{name}", {"value": 1, "expected_value": third})
    data(api.post(f"{ENCRYPTION}/rotate", {"what": "data_key"}))
    assert value_of(api, name) == second
    gone = add_key(api, third)["ref"]
    assert api.delete(f"{KEYS}/{gone}").status_code == 200
    # Refused, and not written either.
    api.post(KEYS, {"ref": "X", "name": third, "value": first})
    api.http.post(KEYS, content=f'{{"value": "{first}"')
    wait_until(lambda: all_sealed_anew(api), what="values sealed anew")
    return [first, second, third]


def test_a_planted_secret_is_found_nowhere(start_server: StartServer, tmp_path: Path) -> None:
    server = with_file(start_server)
    api = signed_in(server)
    used = use_secrets(api)
    cli, copy = Cli(tmp_path), tmp_path / "copy.db"
    told = cli.told("backup", str(copy), "--data-dir", str(server.data))
    assert "master key is not in it" in told
    for secret in used:
        assert not traces(secret, server.data, copy, server.log)
    assert not traces(master_file(server).read_text().strip(), copy, server.log)
    assert server.stop() == 0
    for secret in used:
        assert not traces(secret, server.data)
    # The search finds what is there.
    note = server.data / "note"
    note.write_text(base64.b64encode(f"a{used[0]}z".encode()).decode())
    assert traces(used[0], server.data) == [str(note)]


def test_a_secret_that_actions_use_and_print_is_kept_nowhere(start_server: StartServer) -> None:
    server = with_file(start_server)
    api = signed_in(server)
    secret = planted()
    add_key(api, secret, name="password", encrypted=True)
    told = 'given=$(cat); echo "$given"; echo "$given" >&2; exit 1'
    pack = Programs(api, native=shell(told), sandboxed=python(ECHO, runner="wasm"))
    script = Shell(api)
    for action in (f"{pack.ref}.native", f"{pack.ref}.sandboxed", script.action("echo $password")):
        ended = api.run(action)
        stream = log_text(log_events(api, ended["id"], "stdout"))
        assert "***" in stream
        assert secret not in f"{stream} {ended} {api.get('/api/v1/executions').text}"
    asleep = script.begun("echo begun; sleep 600")
    assert not in_processes(secret)
    api.cancel(asleep)
    assert server.stop() == 0
    assert not traces(secret, server.data, server.log)


def in_processes(secret: str) -> list[str]:
    """Files in which others see a process's arguments and environment, with the secret in them."""
    found = []
    for path in (*Path("/proc").glob("[0-9]*/cmdline"), *Path("/proc").glob("[0-9]*/environ")):
        with suppress(OSError):
            found += [str(path)] if secret.encode() in path.read_bytes() else []
    return found


def test_a_server_leaves_no_core_dump(start_server: StartServer) -> None:
    server = start_server()
    limits = Path(f"/proc/{server.pid}/limits").read_text()
    [line] = [line for line in limits.splitlines() if line.startswith("Max core file size")]
    # core(5): a limit of 1 holds for programs that take dumps from a pipe, too.
    assert line.split()[4:6] == ["1", "1"]


def test_a_planted_secret_is_nowhere_in_postgres(start_server: StartServer) -> None:
    with cluster() as own:
        server = with_file(start_server, database_url=own.new_database())
        used = use_secrets(signed_in(server))
        own.sql("CHECKPOINT")
        for secret in used:
            assert not traces(secret, own.home, server.data, server.log)
        assert server.stop() == 0


@pytest.fixture(params=["sqlite", "postgres"])
def filed(start_server: StartServer, request: pytest.FixtureRequest) -> Server:
    return with_file(start_server, **database(request))


def test_the_master_key_is_made_once_and_private(filed: Server) -> None:
    file = master_file(filed)
    assert file.stat().st_mode & 0o777 == 0o600
    before = file.read_text()
    ref = add_key(signed_in(filed), "kept")["ref"]
    assert filed.stop() == 0
    api = signed_in(filed.start())
    assert value_of(api, ref) == "kept"
    assert file.read_text() == before


def test_a_start_without_the_right_master_key_is_refused(filed: Server) -> None:
    ref = add_key(signed_in(filed), "kept")["ref"]
    assert filed.stop() == 0
    file = master_file(filed)
    right = file.read_text()
    file.unlink()
    told = refused_start(filed)
    assert "missing" in told
    assert "--master-key-file" in told
    assert not file.exists(), "no other one is made"
    file.write_text(new_master())
    told = refused_start(filed)
    assert "does not hold" in told
    assert "ATTUNE_MASTER_KEY" in told
    file.write_text("no key at all")
    told = refused_start(filed)
    assert "line 1" in told
    assert "no key at all" not in told
    told = refused_start(filed, ATTUNE_MASTER_KEY=right, ATTUNE_MASTER_KEY_FILE=str(file))
    assert "one of them" in told
    file.write_text(right)
    file.chmod(0o600)
    assert value_of(signed_in(filed.start()), ref) == "kept"


def test_a_command_gives_the_master_key(start_server: StartServer, tmp_path: Path) -> None:
    kept = tmp_path / "elsewhere"
    kept.write_text(new_master())
    server = start_server(without=("ATTUNE_MASTER_KEY",), master_key_command=f"cat {kept}")
    ref = add_key(signed_in(server), "kept")["ref"]
    assert not master_file(server).exists()
    kept.write_text(f"{new_master()}\n{kept.read_text()}")
    rotated = data(signed_in(server).post(f"{ENCRYPTION}/rotate", {"what": "master_key"}))
    assert rotated["rewrapped"] == 1
    assert server.stop() == 0
    kept.write_text(kept.read_text().splitlines()[0])
    assert value_of(signed_in(server.start()), ref) == "kept"
    assert server.stop() == 0
    kept.unlink()
    assert "--master-key-command" in refused_start(server)


def test_the_master_key_is_rotated_by_command(filed: Server, tmp_path: Path) -> None:
    api = signed_in(filed)
    ref, file = add_key(api, "kept")["ref"], master_file(filed)
    [old] = file.read_text().split()
    cli = Cli(tmp_path, {"ATTUNE_URL": filed.url})
    assert cli.run("login", LOGIN, ATTUNE_PASSWORD=PASSWORD).returncode == 0
    told = cli.told("encryption", "rotate-master", "--file", str(file))
    new, kept = file.read_text().split()
    SECRETS.add(new)
    assert kept == old != new
    assert file.stat().st_mode & 0o777 == 0o600
    assert "may be removed" in told
    assert new not in told
    file.write_text(f"{new}\n")
    assert value_of(api, ref) == "kept"
    cli.told("encryption", "rotate-data")
    wait_until(lambda: all_sealed_anew(api), what="values sealed anew")
    assert value_of(api, ref) == "kept"
    assert filed.stop() == 0
    assert value_of(signed_in(filed.start()), ref) == "kept"
    other = tmp_path / "other.key"
    other.write_text(new_master())
    # Its port is another one now.
    login = cli.run("login", LOGIN, ATTUNE_PASSWORD=PASSWORD, ATTUNE_URL=filed.url)
    assert login.returncode == 0
    wrong = cli.run("encryption", "rotate-master", "--file", str(other), ATTUNE_URL=filed.url)
    assert wrong.returncode == 1
    SECRETS.update(other.read_text().split())


def test_a_rotation_that_was_cut_short_goes_on(filed: Server) -> None:
    api = signed_in(filed)
    refs = [add_key(api, "x" * 50_000)["ref"] for _ in range(100)]
    data(api.post(f"{ENCRYPTION}/rotate", {"what": "data_key"}))
    filed.kill()
    api = signed_in(filed.start())
    wait_until(lambda: all_sealed_anew(api), timeout=30, what="values sealed anew")
    assert all(value_of(api, ref) == "x" * 50_000 for ref in refs)


def test_rotation_under_load(filed: Server) -> None:
    """Values can be read and counted up all along, whatever is rotated."""
    api = signed_in(filed)
    secret, counter = add_key(api, {"a": "secret"})["ref"], add_key(api, 0)["ref"]
    done = threading.Event()
    counts, problems = [0] * 4, []

    def work(number: int) -> None:
        mine = Api(filed.url, api.token)
        try:
            while not done.is_set():
                assert value_of(mine, secret) == {"a": "secret"}
                increment(mine, counter)
                counts[number] += 1
        except AssertionError as problem:
            problems.append(problem)

    workers = [threading.Thread(target=work, args=[number]) for number in range(4)]
    for worker in workers:
        worker.start()
    file = master_file(filed)
    for _ in range(10):
        data(api.post(f"{ENCRYPTION}/rotate", {"what": "data_key"}))
        file.write_text(f"{new_master()}\n{file.read_text()}")
        data(api.post(f"{ENCRYPTION}/rotate", {"what": "master_key"}))
        wait_until(lambda: all_sealed_anew(api), what="values sealed anew")
    done.set()
    for worker in workers:
        worker.join()
    assert not problems
    assert value_of(api, counter) == sum(counts) > 0
    assert value_of(api, secret) == {"a": "secret"}


def test_servers_share_a_master_key(start_server: StartServer, postgres: Cluster) -> None:
    url = postgres.new_database()
    one = with_file(start_server, database_url=url, worker_name="one")
    other = Server(one.home.parent / "other", None, database_url=url, worker_name="other")
    del other.variables["ATTUNE_MASTER_KEY"]
    told = refused_start(other)
    assert "other servers on this database" in told
    other.data.mkdir(exist_ok=True, mode=0o700)
    master_file(other).write_text(master_file(one).read_text())
    master_file(other).chmod(0o600)
    two = start_server(
        data_dir=other.data, without=("ATTUNE_MASTER_KEY",), database_url=url, worker_name="other"
    )
    here, there = signed_in(one), signed_in(two)
    ref = add_key(here, "shared")["ref"]
    assert value_of(there, ref) == "shared"
    data(there.post(f"{ENCRYPTION}/rotate", {"what": "data_key"}))
    assert value_of(here, ref) == "shared"
    data(here.put(f"{KEYS}/{ref}", {"value": "changed"}))
    assert value_of(there, ref) == "changed"


def test_a_backup_needs_its_master_key(start_server: StartServer, tmp_path: Path) -> None:
    server = with_file(start_server)
    ref = add_key(signed_in(server), "kept")["ref"]
    cli, copy, elsewhere = Cli(tmp_path), tmp_path / "copy.db", tmp_path / "elsewhere"
    cli.told("backup", str(copy), "--data-dir", str(server.data))
    cli.told("restore", str(copy), "--data-dir", str(elsewhere))
    restored = Server(tmp_path / "restored", elsewhere)
    del restored.variables["ATTUNE_MASTER_KEY"]
    assert "--master-key-file" in refused_start(restored)
    right = master_file(server).read_text().strip()
    other = start_server(data_dir=elsewhere, variables={"ATTUNE_MASTER_KEY": right})
    assert value_of(signed_in(other), ref) == "kept"
