"""Copies of a database that is in use, their way back, and other work on the database itself."""

import concurrent.futures
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from support.api import SECRETS, Api, page
from support.cli import Cli
from support.packs import install_behaviour
from support.postgres import Cluster, newest_programs
from support.server import LOGIN, PASSWORD, Server

SignIn = Callable[[Server], Api]
StartServer = Callable[..., Server]


@pytest.fixture
def cli(tmp_path: Path) -> Cli:
    return Cli(tmp_path)


def test_a_backup_under_load_comes_back(
    start_server: StartServer, signed_in: SignIn, cli: Cli, tmp_path: Path
) -> None:
    server = start_server(runners=2)
    api = signed_in(server)
    install_behaviour(api)
    before = [api.run("behaviour.say", {"stdout": str(n)})["id"] for n in range(5)]
    copy = tmp_path / "copy.db"
    with concurrent.futures.ThreadPoolExecutor(4) as pool:
        busy = [
            pool.submit(signed_in(server).run, "behaviour.say", {"stdout": "x"}) for _ in range(60)
        ]
        cli.told("backup", str(copy), "--data-dir", str(server.data))
        assert all(future.result()["status"] == "completed" for future in busy)
    assert copy.stat().st_mode & 0o777 == 0o600
    after = api.run("behaviour.say", {"stdout": "later"})["id"]

    told = refused(cli, "restore", str(copy), "--data-dir", str(server.data))
    assert "stop the server" in told
    assert server.stop() == 0
    copy.chmod(0o644)
    cli.told("restore", str(copy), "--data-dir", str(server.data))
    kept = server.data / "attune.db.before-restore"
    content = kept.read_bytes()
    assert (server.data / "attune.db").stat().st_mode & 0o777 == 0o600
    assert str(kept) in refused(cli, "restore", str(copy), "--data-dir", str(server.data))
    assert kept.read_bytes() == content
    api = signed_in(server.start())
    for n, number in enumerate(before):
        assert api.execution(number)["result"]["stdout"] == str(n)
    assert api.get(f"/api/v1/executions/{after}").status_code == 404
    assert api.result("behaviour.say", {"stdout": "again"})["stdout"] == "again"
    # What ran while the copy was made is settled: nothing is left unfinished.
    rows, _ = page(api.get("/api/v1/executions", per_page=100))
    assert all(api.ended(row["id"]) for row in rows)


def test_a_backup_goes_to_another_machine(
    start_server: StartServer, signed_in: SignIn, cli: Cli, tmp_path: Path
) -> None:
    server = start_server()
    number = signed_in(server).run("core.echo", {"message": "kept"})["id"]
    copy, elsewhere = tmp_path / "copy.db", tmp_path / "elsewhere"
    cli.told("backup", str(copy), "--data-dir", str(server.data))
    cli.told("restore", str(copy), "--data-dir", str(elsewhere))
    other = signed_in(start_server(data_dir=elsewhere))
    assert other.execution(number)["result"]["stdout"] == "kept"


def test_what_is_no_backup_is_refused(cli: Cli, tmp_path: Path) -> None:
    folder = str(tmp_path / "data")
    text = tmp_path / "text"
    text.write_text("a letter, and no database" * 1000)
    assert "no backup" in refused(cli, "restore", str(text), "--data-dir", folder)
    assert "missing" in refused(cli, "restore", str(tmp_path / "missing"), "--data-dir", folder)
    assert not list(Path(folder).glob("attune.db*"))
    assert "no database" in refused(cli, "backup", str(tmp_path / "copy"), "--data-dir", folder)
    assert "already" in refused(
        cli, "backup", str(text), "--data-dir", folder, ATTUNE_DATABASE_URL=f"sqlite:{text}"
    )


def refused(cli: Cli, *arguments: str, **variables: str) -> str:
    done = cli.run(*arguments, **variables)
    assert done.returncode not in (0, 101), done.stdout
    return done.stderr


def test_postgres_has_its_own_tools(
    start_server: StartServer, signed_in: SignIn, postgres: Cluster, cli: Cli, tmp_path: Path
) -> None:
    """The commands of the documentation, on a server that goes on meanwhile."""
    url = postgres.new_database()
    server = start_server(database_url=url)
    number = signed_in(server).run("core.echo", {"message": "kept"})["id"]
    assert "pg_dump" in refused(cli, "backup", "x", ATTUNE_DATABASE_URL=url)
    dump, copy = tmp_path / "dump", postgres.new_database()
    pg = newest_programs()
    subprocess.run([pg / "pg_dump", "--format=custom", f"--file={dump}", url], check=True)
    restore = [pg / "pg_restore", "--clean", "--if-exists", f"--dbname={copy}", str(dump)]
    subprocess.run(restore, check=True)
    other = signed_in(start_server(database_url=copy))
    assert other.execution(number)["result"]["stdout"] == "kept"


def test_migrations_can_be_seen_before(start_server: StartServer, cli: Cli, tmp_path: Path) -> None:
    folder = tmp_path / "data"
    would = cli.json("migrate", "--dry-run", "--data-dir", str(folder))
    assert would["found"] == 0
    assert would["known"] > 0
    assert not (folder / "attune.db").exists()
    folder.mkdir()
    cli.told("migrate", "--data-dir", str(folder))
    assert cli.json("migrate", "--dry-run", "--data-dir", str(folder))["found"] == would["known"]
    start_server(data_dir=folder)


def test_a_forgotten_password(small_server: Server, signed_in: SignIn, cli: Cli) -> None:
    """With access to the database, while the server runs; the old sessions end."""
    api = signed_in(small_server)
    place = ["--data-dir", str(small_server.data)]
    url = small_server.settings.get("database_url")
    if url:
        place += ["--database-url", str(url)]
    made_up = cli.out("reset-password", LOGIN, *place).strip()
    SECRETS.add(made_up)
    fresh = Api(small_server.url).login(LOGIN, made_up)
    assert fresh.get("/auth/me").status_code == 200
    assert api.post("/auth/refresh", {"refresh_token": "x"}).status_code == 401
    refused_login = Api(small_server.url).post(
        "/auth/login", {"login": LOGIN, "password": PASSWORD}
    )
    assert refused_login.status_code == 401
    assert "nobody" in refused(cli, "reset-password", "nobody", *place)
