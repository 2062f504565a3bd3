"""What actions see of keys, and what is kept of secrets that they print."""

import json
from dataclasses import dataclass, field
from typing import Any

import pytest

from support.api import SECRETS, Api, Json, data
from support.keys import add_key, value_of
from support.packs import archive_files, pack_files, unique
from support.wait import wait_until

HIDDEN = "***"
FUNCTION = (
    "def run(params, context):\n    return {'params': params, 'secrets': context['secrets']}\n"
)
SHOW = "import json, sys\nprint(json.dumps(json.load(sys.stdin)))\n"
# The pause has the value written in two pieces.
LEAK = """
import json, sys, time
value = json.load(sys.stdin)["NAME"]
print("out", value)
print(value[:7], end="", flush=True)
time.sleep(0.3)
print(value[7:])
print("err", value, file=sys.stderr)
sys.exit(3)
"""


@dataclass
class Pack:
    """A pack with an action of each kind, and keys for it."""

    api: Api
    ref: str = field(default_factory=unique)

    def install(self, **sources: str) -> None:
        files = pack_files(self.ref, **sources)
        function = f"ref: {self.ref}.function\nrunner_type: python\nentry_point: function.py:run\n"
        files["actions/function.yaml"] = function.encode()
        files["actions/function.py"] = FUNCTION.encode()
        data(self.api.upload(archive_files(files)), 201)

    def shell(self, body: str) -> str:
        action = {"ref": f"{self.ref}.{unique('sh')}", "pack_ref": self.ref, "label": "shell"}
        action |= {"runtime_ref": "core.shell", "entrypoint": body}
        made: str = data(self.api.post("/api/v1/actions", action), 201)["ref"]
        return made

    def key(self, name: str, value: Any, **more: Any) -> None:
        add_key(self.api, value, unique("key"), **{"name": name, **more})

    def seen(self, action: str = "show", **parameters: Any) -> Json:
        result: Json = self.api.result(f"{self.ref}.{action}", parameters)["data"]
        return result


@pytest.fixture
def pack(admin: Api) -> Pack:
    pack = Pack(admin)
    pack.install(show=SHOW, other=SHOW)
    return pack


def test_an_action_sees_the_keys_of_its_tenant_its_pack_and_its_own(pack: Pack) -> None:
    pack.key("of_all", {"a": [1, 2.5, None]})
    pack.key("of_pack", "p", owner_type="pack", owner_pack_ref=pack.ref)
    pack.key("of_action", 7, owner_type="action", owner_action_ref=f"{pack.ref}.show")
    seen = pack.seen("show", mine="x")
    assert seen == {"mine": "x", "of_all": {"a": [1, 2.5, None]}, "of_pack": "p", "of_action": 7}
    assert "of_action" not in pack.seen("other")
    stranger = Pack(pack.api)
    stranger.install(show=SHOW)
    assert set(stranger.seen()) == {"of_all"}


def test_what_is_nearer_wins(pack: Pack) -> None:
    pack.key("word", "tenant")
    assert pack.seen(word="parameter")["word"] == "tenant"
    pack.key("word", "pack", owner_type="pack", owner_pack_ref=pack.ref)
    assert pack.seen()["word"] == "pack"
    pack.key("word", "action", owner_type="action", owner_action_ref=f"{pack.ref}.show")
    assert pack.seen()["word"] == "action"
    assert pack.seen("other")["word"] == "pack"


def test_keys_of_persons_are_no_business_of_actions(pack: Pack) -> None:
    pack.key("private", "mine", owner_type="identity")
    assert pack.seen() == {}


def test_an_expired_key_is_not_seen(pack: Pack) -> None:
    pack.key("soon", "gone", ttl_seconds=1)
    wait_until(lambda: pack.seen() == {}, what="a run without the expired key")


def test_a_function_finds_them_in_its_context(pack: Pack) -> None:
    pack.key("word", "x")
    assert pack.seen("function", a=1) == {"params": {"a": 1}, "secrets": {"word": "x"}}


def test_a_shell_script_has_them_as_variables(pack: Pack) -> None:
    pack.key("db-password", "s3")
    pack.key("table", {"a": 1})
    body = 'echo "$db_password $PARAM_DB_PASSWORD $table"; printenv | grep -c s3 || true'
    result = pack.api.result(pack.shell(body), {"db-password": "parameter"})
    assert result["stdout"] == 's3 s3 {"a":1}\n0'


def secret(stem: str) -> str:
    """A value that the server's log must not have either."""
    value = unique(stem)
    SECRETS.add(value)
    return value


@pytest.mark.parametrize("kind", ["sandboxed", "native"])
def test_an_encrypted_value_is_taken_out_of_what_is_kept(pack: Pack, kind: str) -> None:
    value = secret("hunter")
    pack.key("word", value, encrypted=True)
    if kind == "native":
        body = 'echo "out $word"; printf %s "${word:0:7}"; sleep 0.3; echo "${word:7}"'
        action = pack.shell(body + '; echo "err $word" >&2; exit 3')
    else:
        leaking = Pack(pack.api)
        leaking.install(leak=LEAK.replace("NAME", "word"))
        action = f"{leaking.ref}.leak"
    execution = pack.api.run(action)
    assert execution["status"] == "failed"
    assert value not in json.dumps(execution)
    assert execution["result"]["stdout"] == f"out {HIDDEN}\n{HIDDEN}"
    assert execution["result"]["error"] == f"err {HIDDEN}"
    for stream in ("stdout", "stderr"):
        path = f"/api/v1/executions/{execution['id']}/logs/{stream}/stream"
        text = pack.api.get(path).text
        assert value not in text
        assert HIDDEN in text


def test_so_is_a_secret_parameter(pack: Pack) -> None:
    value = secret("token")
    files = pack_files(unique(), leak=LEAK.replace("NAME", "token"))
    ref = files["pack.yaml"].decode().split()[1]
    schema = "parameters:\n  token: {type: string, secret: true}\n"
    files["actions/leak.yaml"] += schema.encode()
    data(pack.api.upload(archive_files(files)), 201)
    execution = pack.api.run(f"{ref}.leak", {"token": value})
    assert value not in json.dumps(execution)
    assert HIDDEN in execution["result"]["stdout"]


def test_so_is_what_a_function_returns(pack: Pack) -> None:
    value = secret("returned")
    pack.key("word", {"deep": [value]}, encrypted=True)
    assert pack.seen("function")["secrets"] == {"word": {"deep": [HIDDEN]}}


def test_values_that_are_no_secret_stay(pack: Pack) -> None:
    pack.key("word", "public-value")
    pack.key("short", "ab12", encrypted=True)
    assert pack.seen() == {"word": "public-value", "short": "ab12"}


def test_one_action_writes_what_another_reads(admin: Api, pack: Pack) -> None:
    ref = add_key(admin, None, unique("shared"), name="shared")["ref"]
    body = (
        "python3 - <<'EOF'\nimport os, json, urllib.request\n"
        f"request = urllib.request.Request(os.environ['ATTUNE_API_URL'] + '/api/v1/keys/{ref}',"
        " json.dumps({'value': {'n': [1, 'two']}}).encode(), method='PUT')\n"
        "request.add_header('Authorization', 'Bearer ' + os.environ['ATTUNE_API_TOKEN'])\n"
        "request.add_header('Content-Type', 'application/json')\n"
        "print(urllib.request.urlopen(request).status)\nEOF"
    )
    admin.result(pack.shell(body), permission_set_refs=["core.admin"])
    assert value_of(admin, ref) == {"n": [1, "two"]}
    assert pack.seen("show")["shared"] == {"n": [1, "two"]}
