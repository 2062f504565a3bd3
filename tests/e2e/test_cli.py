"""The client commands: what they print, and what their exit codes mean."""

import json
import subprocess
import tomllib
from pathlib import Path

import pytest

from support.api import SECRETS, Api
from support.cli import Cli
from support.packs import ECHO, pack_files, unique, write_folder
from support.runs import begun
from support.server import LOGIN, PASSWORD, Server


@pytest.fixture
def visitor(server: Server, tmp_path: Path) -> Cli:
    """Knows the server and has not signed in."""
    return Cli(tmp_path, {"ATTUNE_URL": server.url})


@pytest.fixture
def cli(visitor: Cli) -> Cli:
    done = visitor.run("login", LOGIN, ATTUNE_PASSWORD=PASSWORD)
    assert done.returncode == 0, done.stderr
    return visitor


def failed(done: subprocess.CompletedProcess[str], code: int) -> str:
    assert done.returncode == code, f"{done.returncode}: {done.stdout}{done.stderr}"
    assert done.stderr.strip()
    return done.stderr


def test_login_keeps_tokens_privately(cli: Cli) -> None:
    [profile] = cli.home.rglob("cli.toml")
    assert profile.stat().st_mode & 0o077 == 0
    assert PASSWORD not in profile.read_text()


def test_login_with_a_wrong_password(visitor: Cli) -> None:
    failed(visitor.run("login", LOGIN, ATTUNE_PASSWORD="not-the-password"), 3)


def test_not_signed_in(visitor: Cli) -> None:
    assert "attune login" in failed(visitor.run("pack", "list"), 3)


def test_only_a_login_changes_the_default_server(cli: Cli, server: Server) -> None:
    """Also when the tokens of another server are renewed; here it is the same by another name."""
    other = server.url.replace("127.0.0.1", "localhost")
    cli.run("login", LOGIN, ATTUNE_PASSWORD=PASSWORD, ATTUNE_URL=other)
    cli.run("login", LOGIN, ATTUNE_PASSWORD=PASSWORD)
    [profile] = cli.home.rglob("cli.toml")
    kept = tomllib.loads(profile.read_text())
    expired = kept["servers"][other]["access_token"]
    profile.write_text(profile.read_text().replace(expired, "expired"))
    cli.out("--url", other, "pack", "list")
    renewed = tomllib.loads(profile.read_text())
    assert renewed["servers"][other] != kept["servers"][other]
    assert renewed["current"] == server.url


def test_packs(cli: Cli, tmp_path: Path) -> None:
    ref = unique()
    folder = write_folder(tmp_path / "pack", pack_files(ref, echo=ECHO))
    assert ref in cli.told("pack", "upload", str(folder))
    assert ref in cli.out("pack", "list", "--page-size", "1000")
    assert f"{ref}.echo" in cli.out("pack", "show", ref)
    failed(cli.run("pack", "upload", str(folder)), 1)
    cli.out("pack", "upload", "--force", str(folder))
    assert cli.json("pack", "show", ref)["ref"] == ref
    cli.out("pack", "delete", ref)
    failed(cli.run("pack", "show", ref), 4)


def test_a_folder_that_is_no_pack(cli: Cli, tmp_path: Path) -> None:
    empty = tmp_path / "empty"
    empty.mkdir()
    assert cli.run("pack", "upload", str(empty)).returncode in (1, 2)
    assert cli.run("pack", "upload", str(tmp_path / "nowhere")).returncode in (1, 2)


def test_actions(cli: Cli) -> None:
    assert "core.echo" in cli.out("action", "list")
    assert "core.echo" in cli.out("action", "list", "--pack", "core")
    assert "message" in cli.out("action", "show", "core.echo")
    assert cli.json("action", "show", "core.echo")["ref"] == "core.echo"
    failed(cli.run("action", "show", "core.nothing"), 4)


def test_run_prints_the_result(cli: Cli) -> None:
    assert cli.out("run", "core.echo", "message=hi").strip() == "hi"
    done = cli.json("run", "core.echo", "message=hi")
    assert done["status"] == "completed"
    assert done["result"]["stdout"] == "hi"


def test_run_takes_json_and_declared_types(cli: Cli, behaviour: Api) -> None:
    assert behaviour
    answer = json.loads(cli.out("run", "behaviour.strict", "name=7", "count=5", "list:=[1,2]"))
    assert answer == {"name": "7", "count": 5, "list": [1, 2]}


def test_run_fails_with_the_execution(cli: Cli) -> None:
    assert "7" in failed(cli.run("run", "core.noop", "exit_code=7"), 1)
    failed(cli.run("run", "core.nothing"), 4)
    failed(cli.run("run", "core.echo", "no-equals-sign"), 2)


def test_run_and_watch(cli: Cli) -> None:
    assert "hi" in cli.out("run", "core.echo", "message=hi", "--watch")


def test_executions(cli: Cli, behaviour: Api) -> None:
    ended = behaviour.run("behaviour.say", {"stdout": "out\n", "stderr": "err\n"})
    number = str(ended["id"])
    assert number in cli.out("execution", "list")
    assert "completed" in cli.out("execution", "show", number)
    assert cli.json("execution", "show", number)["id"] == ended["id"]
    assert cli.out("execution", "logs", number) == "out\n"
    assert cli.out("execution", "logs", "--stderr", number) == "err\n"
    assert "completed" in cli.told("execution", "watch", number)
    failed(cli.run("execution", "show", "999999999"), 4)


def test_logs_of_what_still_runs(cli: Cli, behaviour: Api) -> None:
    number = begun(behaviour)
    done = cli.run("execution", "logs", str(number))
    assert (done.returncode, done.stdout) == (0, "begun\n")
    assert "--follow" in done.stderr
    assert behaviour.cancel(number).status_code == 200
    failed(cli.run("execution", "logs", "999999999"), 4)


def test_cancel(cli: Cli, behaviour: Api) -> None:
    number = begun(behaviour)
    cli.out("execution", "cancel", str(number))
    assert behaviour.ended(number)["status"] == "cancelled"
    failed(cli.run("execution", "cancel", str(number)), 1)
    failed(cli.run("execution", "watch", str(number)), 1)


def test_no_server(cli: Cli) -> None:
    nowhere = "http://127.0.0.1:9"
    failed(cli.run("login", LOGIN, ATTUNE_PASSWORD=PASSWORD, ATTUNE_URL=nowhere), 5)
    failed(cli.run("pack", "list", ATTUNE_URL=nowhere), 3)


def test_wrong_arguments(visitor: Cli) -> None:
    failed(visitor.run("no-such-command"), 2)
    failed(visitor.run("serve", "--listen", "nonsense"), 2)


def test_wrong_settings_are_named(visitor: Cli) -> None:
    visitor.variables.clear()
    assert "ATTUNE_LISTNE" in failed(visitor.run("serve", ATTUNE_LISTNE="127.0.0.1:0"), 2)
    (visitor.home / "attune.toml").write_text("lisen = '127.0.0.1:0'\n")
    assert "lisen" in failed(visitor.run("serve"), 2)


def test_doctor(tmp_path: Path) -> None:
    done = Cli(tmp_path).run("doctor", "--data-dir", str(tmp_path / "data"))
    assert done.returncode in (0, 1), done.stderr
    report = done.stdout.lower()
    for subject in ("python", "landlock", "seccomp", "database", "port"):
        assert subject in report, done.stdout


def test_help_tells_the_exit_codes(visitor: Cli) -> None:
    assert "Exit codes" in visitor.out("--help")
    assert "--data-dir" in visitor.out("serve", "--help")


def test_keys(cli: Cli) -> None:
    ref, secret = unique("key"), unique("planted-secret")
    SECRETS.add(secret)
    made = cli.run("key", "set", ref, "-", "--text", "--encrypted", said=f"{secret}\n")
    assert made.returncode == 0, made.stderr
    assert secret not in made.stdout + made.stderr
    assert ref in cli.out("key", "list")
    assert secret not in cli.out("key", "list")
    assert cli.out("key", "get", ref, "--value") == secret
    shown = cli.json("key", "get", ref)
    assert (shown["value"], shown["encrypted"], shown["version"]) == (secret, True, 1)
    assert secret in cli.out("key", "get", ref)
    cli.out("key", "set", ref, "--value", "41", "--ttl", "3600", "--name", "Counter")
    assert cli.out("key", "increment", ref).strip() == "42"
    assert cli.out("key", "increment", ref, "--by", "-2").strip() == "40"
    failed(cli.run("key", "set", ref, "--value", "1", "--expected-version", "1"), 1)
    file = cli.home / "value.json"
    file.write_text('{"a": [1]}')
    cli.out("key", "set", ref, "--value-file", str(file))
    assert cli.json("key", "get", ref)["value"] == {"a": [1]}
    assert json.loads(cli.out("key", "get", ref, "--value")) == {"a": [1]}
    cli.out("key", "delete", ref)
    failed(cli.run("key", "get", ref), 4)


def test_values_that_are_no_json(cli: Cli) -> None:
    secret = unique("planted-secret")
    text = failed(cli.run("key", "set", unique("key"), "-", said=secret), 2)
    assert "--text" in text
    assert secret not in text
    failed(cli.run("key", "set", unique("key"), "--name", "no value"), 2)
    failed(cli.run("key", "set", "k", "--value", "1", "--value-file", "x"), 2)


def test_keys_of_a_pack(cli: Cli) -> None:
    ref = unique("key")
    cli.out("key", "set", ref, "--value", "1", "--owner-type", "pack", "--owner", "core")
    rows = cli.json("key", "list", "--owner-type", "pack", "--owner", "core")["items"]
    assert ref in [row["ref"] for row in rows]


def test_encryption(cli: Cli) -> None:
    shown = cli.json("encryption", "show")
    rotated = cli.json("encryption", "rotate-data")
    assert rotated["data_key"] != shown["data_key"]
    reread = cli.json("encryption", "rotate-master", "--reread")
    assert reread["master_key"] == shown["master_key"]
    missing = failed(cli.run("encryption", "rotate-master", "--file", "/no/such/file"), 1)
    assert "--file" in missing
