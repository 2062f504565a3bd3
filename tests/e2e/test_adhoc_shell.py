"""Shell actions made by API: what their script finds (contract, packs sections 6.1 and 6.3)."""

import base64
import json

import pytest

from support.api import SECRETS, Api, Json, data
from support.native import DOOR, Shell
from support.packs import small_pack, unique
from support.processes import marked
from support.runs import going_on
from support.server import HOST_CANARY
from support.sse import log_events, log_text

# What a script has to find of a value, byte for byte.
TEXTS = [
    "plain",
    "",
    "  spaces  around ",
    'it\'s "quoted"',
    "two\nlines\n\n",
    "tab\tand\rreturn\x01\x1b[0m\x7f",
    "$(id) `id` ${HOME} $x $((1+1)) <(id)",
    "; id; ' ; id; ' || id && id | id & id > /tmp/x",
    "back\\slash \\n \\x41 \\' \\\\",
    "*? [a-z] ~ {a,b} !history #comment",
    "-n",
    "ünïcödé 🦀 \u202e \ufeff e\u0301",
    "x" * 200_000,
]
JSON_VALUES = [
    True,
    False,
    0,
    -7,
    1.5,
    9_007_199_254_740_993,
    18_446_744_073_709_551_615,
    [],
    {},
    [1, "a b", None, {"k": [True]}],
    {"quote'": 'double"', "new\nline": "$(id)", "n": {"m": None}},
]
# Each variable that begins with `v_`, and its second name.
SHOW = """
for name in ${!v_*}; do
    second=PARAM_V_${name#v_}
    printf '%s %s\\n' "$name" "$(printf %s "${!name}" | base64 -w0)"
    [ "${!name}" = "${!second}" ] || echo "$second differs"
done
"""


@pytest.fixture
def shell(admin: Api) -> Shell:
    return Shell(admin)


def shown(shell: Shell, values: list[object]) -> dict[str, str]:
    """What a script finds in `v_0` and so on."""
    printed = shell.says(SHOW, {f"v_{n}": value for n, value in enumerate(values)})
    pairs = [line.split(" ", 1) for line in printed.splitlines()]
    # A value that is empty leaves nothing behind its name.
    return {pair[0]: base64.b64decode(pair[-1] if pair[1:] else "").decode() for pair in pairs}


def test_texts_arrive_as_they_are(shell: Shell) -> None:
    assert shown(shell, [*TEXTS]) == {f"v_{n}": text for n, text in enumerate(TEXTS)}


def test_other_values_arrive_as_json(shell: Shell) -> None:
    found = shown(shell, JSON_VALUES)
    assert [json.loads(found[f"v_{n}"]) for n in range(len(JSON_VALUES))] == JSON_VALUES
    assert (found["v_0"], found["v_1"], found["v_3"]) == ("true", "false", "-7")


def test_null_is_no_variable(shell: Shell) -> None:
    script = 'echo "[${nothing-unset}] [${PARAM_NOTHING-unset}]"'
    assert shell.says(script, {"nothing": None}) == "[unset] [unset]"


@pytest.mark.parametrize(
    ("name", "first", "second"),
    [
        ("colour", "colour", "PARAM_COLOUR"),
        ("mixedCase", "mixedCase", "PARAM_MIXEDCASE"),
        ("with-dash", "with_dash", "PARAM_WITH_DASH"),
        ("a.b c", "a_b_c", "PARAM_A_B_C"),
        ("2nd", "_nd", "PARAM__ND"),
        ("größe", "gr__e", "PARAM_GR__E"),
        ("a=b", "a_b", "PARAM_A_B"),
        ("$(id)", "__id_", "PARAM___ID_"),
        ("x;id", "x_id", "PARAM_X_ID"),
        ("new\nline", "new_line", "PARAM_NEW_LINE"),
    ],
)
def test_names_become_identifiers(shell: Shell, name: str, first: str, second: str) -> None:
    assert shell.says(f'echo "${{{first}}} ${{{second}}}"', {name: "v"}) == "v v"


def test_names_that_become_the_same(shell: Shell) -> None:
    assert shell.says('echo "$a_b"', {"a-b": "one", "a.b": "one", "a_b": "one"}) == "one"


@pytest.mark.parametrize(
    "name",
    """
    BASHOPTS BASH_VERSINFO EUID PPID SHELLOPTS UID
    BASH_ARGC BASH_ARGV BASH_LINENO BASH_SOURCE FUNCNAME GROUPS DIRSTACK
    RANDOM SRANDOM SECONDS OPTIND HISTCMD LINENO BASHPID EPOCHSECONDS EPOCHREALTIME
    BASH BASH_COMMAND BASH_SUBSHELL BASH_VERSION HOSTNAME IFS OPTARG PIPESTATUS PS4 PWD REPLY _
    BASH_ALIASES BASH_CMDS BASH_COMPAT BASH_ENV BASH_XTRACEFD ENV LC_ALL POSIXLY_CORRECT TMOUT
    """.split(),
)
def test_names_that_mean_something_to_bash(shell: Shell, name: str) -> None:
    """Its second name is there in any case; and a value is never evaluated."""
    value = "a[$(echo evaluated >&2; echo 0)]"
    ended = shell.run(f'printf %s "$PARAM_{name.upper()}"', {name: value})
    assert ended["status"] == "completed", ended["result"]
    assert ended["result"]["stdout"] == value
    complaints = log_text(log_events(shell.api, ended["id"], "stderr"))
    assert "evaluated" not in complaints.splitlines()


def test_a_nul_is_refused_by_name(shell: Shell) -> None:
    ended = shell.run("echo never", {"fine": "x", "broken": "a\0b"})
    assert (ended["status"], ended["result"]["failure_reason"]) == ("failed", "parameters")
    assert "broken" in ended["result"]["error"]
    assert "stdout" not in ended["result"]


def test_missing_parameters_are_unset_and_harmless(shell: Shell) -> None:
    script = 'echo "[$missing] [${missing:-}] [${missing:-other}] [${missing-unset}]"'
    assert shell.says(script) == "[] [] [other] [unset]"


def test_the_schema_fills_in_and_refuses_nothing(shell: Shell) -> None:
    schema = {
        "colour": {"type": "string", "default": "red"},
        "count": {"type": "integer", "required": True},
    }
    action = shell.action('echo "[${colour:-}] [${count:-}]"', param_schema=schema)
    assert shell.api.result(action)["stdout"] == "[] []"
    assert shell.api.result(action, {"count": "many"})["stdout"] == "[] [many]"


def test_stdin_is_empty_and_closed(shell: Shell) -> None:
    given = {"a": 1}
    assert shell.says('INPUT=$(cat); echo "${INPUT:-{}}"', given) == "{}"
    assert shell.says('if read -r line; then echo "$line"; else echo end; fi', given) == "end"


def test_a_json_answer_for_no_input(shell: Shell) -> None:
    script = """
INPUT=$(cat)
echo "{\\"received\\": ${INPUT:-{}}, \\"name\\": \\"${name:-nobody}\\"}"
"""
    assert json.loads(shell.says(script)) == {"received": {}, "name": "nobody"}


# T3.20: nobody else is told.


def test_parameters_are_not_exported(shell: Shell) -> None:
    secret = unique("secret")
    SECRETS.add(secret)
    script = """
printenv
export -p
tr '\\0' '\\n' < /proc/self/environ
tr '\\0' '\\n' < /proc/$$/environ
tr '\\0' ' ' < /proc/$$/cmdline
bash -c 'echo "child: [${colour:-}] [${PARAM_COLOUR:-}]"'
[ -n "$colour" ] && echo "script: it is there"
"""
    told = shell.says(script, {"colour": secret, "printenv": "no such command"})
    assert secret not in told
    assert "child: [] []" in told
    assert "script: it is there" in told


def test_a_parameter_takes_an_exported_name_away(shell: Shell) -> None:
    script = 'printenv colour PARAM_COLOUR || echo "not exported: $colour $PARAM_COLOUR"'
    told = shell.says(script, {"colour": "red"}, env_vars={"colour": "x", "PARAM_COLOUR": "y"})
    assert told == "not exported: red red"


def test_the_script_is_for_its_user_alone(shell: Shell) -> None:
    script, user = shell.says('stat -c "%a %u" "$0"; id -u').splitlines()
    assert script == f"600 {user}"


def test_the_host_sees_no_parameter_in_its_processes(shell: Shell) -> None:
    secret, sign = unique("secret"), unique("sign")
    SECRETS.add(secret)
    script = 'echo begun; sleep 600 & wait; echo "$password"'
    action = shell.action(script)
    number = shell.api.submit(action, {"password": secret}, env_vars={"SIGN": sign})["id"]
    with going_on(shell.api, number, sign, processes=2):
        assert not marked(secret)


# The environment.


def environment(shell: Shell, parameters: Json | None = None, **fields: object) -> dict[str, str]:
    """All that is exported, and `ATTUNE_EXEC_ID` checked."""
    action = shell.action("printenv -0 | base64 -w0")
    ended = shell.api.run(action, parameters, **fields)
    assert ended["status"] == "completed", ended["result"]
    text = base64.b64decode(ended["result"]["stdout"]).decode()
    env = dict(pair.split("=", 1) for pair in text.split("\0") if pair)
    assert env["ATTUNE_EXEC_ID"] == str(ended["id"])
    assert env["ATTUNE_ACTION"] == action
    return env


def test_attune_variables(shell: Shell) -> None:
    env = environment(shell)
    assert env["ATTUNE_PACK_REF"] == shell.pack
    assert env["ATTUNE_API_URL"] == DOOR
    assert env["ATTUNE_PARAMETER_DELIVERY"] == "stdin"
    assert env["ATTUNE_PARAMETER_FORMAT"] == "json"
    assert {"ATTUNE_ARTIFACTS_DIR", "ATTUNE_RUNTIME_ENVS_DIR"} <= env.keys()
    absent = "API_TOKEN RULE TRIGGER PARAMETER_FILE".split()
    assert env.keys().isdisjoint({f"ATTUNE_{name}" for name in absent})


def test_context_variables(shell: Shell) -> None:
    env = environment(shell, {"context": {"user": "ada", "deep": {"a": [1]}, "Mixed": True}})
    assert env["ATTUNE_CONTEXT_USER"] == "ada"
    assert json.loads(env["ATTUNE_CONTEXT_DEEP"]) == {"a": [1]}
    assert env["ATTUNE_CONTEXT_MIXED"] == "true"


def test_the_request_s_variables(shell: Shell) -> None:
    sent = {
        "COLOUR": "red",
        "EMPTY": "",
        "lower": "it's\n$(id)",
        "ATTUNE_EXEC_ID": "7",
        "ATTUNE_API_TOKEN": "mine",
        "ATTUNE_API_URL": "http://elsewhere.test",
        "ATTUNE_OTHER": "x",
    }
    env = environment(shell, env_vars=sent)
    assert (env["COLOUR"], env["EMPTY"], env["lower"]) == ("red", "", "it's\n$(id)")
    assert env["ATTUNE_API_URL"] == DOOR
    assert env.keys().isdisjoint({"ATTUNE_API_TOKEN", "ATTUNE_OTHER"})


@pytest.mark.parametrize("name", ["http_proxy", "https_proxy", "HTTP_PROXY", "HTTPS_PROXY"])
def test_the_way_out_cannot_be_replaced(shell: Shell, name: str) -> None:
    assert environment(shell, env_vars={name: "http://elsewhere.test"})[name] == DOOR


@pytest.mark.parametrize("variables", [{"A": "x\0y"}, {"A\0": "x"}, {"A=B": "x"}, {"": "x"}])
def test_variables_that_no_process_can_have(shell: Shell, variables: dict[str, str]) -> None:
    """Refused, or left out, or told why not: never half of one."""
    body = {"action_ref": shell.action("printenv"), "env_vars": variables}
    response = shell.api.post("/api/v1/executions/execute", body, Prefer="wait=30")
    if response.status_code == 201:
        result = data(response, 201)["result"]
        assert result["succeeded"] or result["error"], result
        assert "\nA=" not in "\n" + result.get("stdout", "")
    else:
        assert 400 <= response.status_code < 500, response.text


def test_nothing_of_the_host(shell: Shell) -> None:
    env = environment(shell)
    assert HOST_CANARY not in str(env)
    names = {name for name in env if not name.startswith("ATTUNE_")}
    of_bash = {"PWD", "SHLVL", "_", "OLDPWD"}
    proxies = {"http_proxy", "https_proxy", "no_proxy"}
    usual = {"HOME", "PATH", "LANG", "TMPDIR", "TZ", "USER", "LOGNAME", "SHELL"}
    assert names <= of_bash | usual | proxies | {name.upper() for name in proxies}


def test_the_working_directory_is_the_pack(admin: Api) -> None:
    pack = unique()
    data(admin.upload(small_pack(pack)), 201)
    shell = Shell(admin, pack)
    assert set(shell.says("ls").split()) == {"pack.yaml", "actions"}
    assert f"ref: {pack}" in shell.says("cat pack.yaml actions/echo.yaml")


def test_a_pack_without_files_has_a_directory_as_well(shell: Shell) -> None:
    assert shell.says('ls -A; cd "$PWD"; echo here') == "here"


# The runtime.


@pytest.mark.parametrize("alias", ["shell", "bash", "sh", "core.shell"])
def test_the_runtime_s_other_names(shell: Shell, alias: str) -> None:
    action = shell.action('[[ a == a ]] && echo "$BASH_VERSION"', runtime_ref=alias)
    assert data(shell.api.get(f"/api/v1/actions/{action}"))["runtime_ref"] == "core.shell"
    assert shell.api.result(action)["stdout"][0].isdigit()


@pytest.mark.parametrize("runtime", ["core.python", "core.nodejs", "core.native", "python", "node"])
def test_other_runtimes_need_a_file(shell: Shell, admin: Api, runtime: str) -> None:
    with_files = unique()
    data(admin.upload(small_pack(with_files)), 201)
    for maker in (shell, Shell(admin, with_files)):
        for entrypoint in ("echo hi", "/bin/echo", "nothing.py"):
            ended = admin.run(maker.action(entrypoint, runtime_ref=runtime))
            assert (ended["status"], ended["result"]["succeeded"]) == ("failed", False)
            assert "no executable content" in ended["result"]["error"]
            assert "stdout" not in ended["result"]


@pytest.mark.parametrize("runtime", ["core.ruby", "core.perl", "core.nonsense"])
def test_runtimes_that_are_not_there(shell: Shell, runtime: str) -> None:
    response = shell.api.post(
        "/api/v1/actions",
        {
            "ref": f"{shell.pack}.x",
            "pack_ref": shell.pack,
            "label": "x",
            "entrypoint": "echo hi",
            "runtime_ref": runtime,
        },
    )
    ended = shell.api.run(data(response, 201)["ref"])
    assert ended["status"] == "failed"
    assert runtime in ended["result"]["error"]


def test_a_changed_script_is_used_at_once(shell: Shell) -> None:
    action = shell.action("echo one")
    assert shell.api.result(action)["stdout"] == "one"
    data(shell.api.put(f"/api/v1/actions/{action}", {"entrypoint": "echo two"}))
    assert shell.api.result(action)["stdout"] == "two"


@pytest.mark.parametrize(
    ("script", "told"),
    [
        ("diff <(echo a) <(echo a) && echo same", "same"),
        ("cat <<< 'a string'", "a string"),
        ("cat <<END\n$((6 * 7))\nEND", "42"),
        ("printf 'x%.0s' {1..70000} > /tmp/x; cat <<END | wc -c\n$(cat /tmp/x)\nEND", "70001"),
        ('file=$(mktemp); echo x > "$file"; cat "$file"', "x"),
        ("echo x > /dev/null; head -c 4 /dev/zero | wc -c", "4"),
        ("head -c 8 /dev/urandom | wc -c", "8"),
        ("echo to-stdout > /dev/stdout", "to-stdout"),
        ("echo to-stderr > /dev/stderr; echo done", "done"),
        ("cat /dev/stdin; echo empty", "empty"),
        ("echo piped | cat /dev/stdin", "piped"),
        ("set -- a b; echo $#", "2"),
        ('a=(1 2 3); echo "${a[@]:1}"', "2 3"),
        ("(exit 3) || echo $?", "3"),
        ("seq 3 | xargs -P3 -n1 echo | sort | tr -d '\\n'", "123"),
        ("trap 'echo bye' EXIT; echo hi", "hi\nbye"),
        ('cd && [ -w "$HOME" ] && echo writable', "writable"),
        ('touch "$ATTUNE_ARTIFACTS_DIR/x" && echo written', "written"),
        ('[ "$(id -u)" != 0 ] && id -un > /dev/null && echo somebody', "somebody"),
        ("python3 -c 'print(6 * 7)'", "42"),
        ("timeout 5 echo in time", "in time"),
        ("coproc cat; echo x >&${COPROC[1]}; read -r y <&${COPROC[0]}; echo $y", "x"),
        ("mkfifo /tmp/f; (echo x > /tmp/f) & cat /tmp/f", "x"),
        ("getent hosts localhost > /dev/null && echo known", "known"),
        ('x=ünïcödé; echo ${#x} "$(printf %s "$x" | wc -m)"', "7 7"),
    ],
)
def test_what_scripts_do(shell: Shell, script: str, told: str) -> None:
    assert shell.says(script) == told


def test_many_at_once_each_with_its_own(shell: Shell) -> None:
    action = shell.action('sleep 0.2; echo "$n $PARAM_N $(cat /tmp/n 2>&- || echo $n)"')
    numbers = [shell.api.submit(action, {"n": n})["id"] for n in range(60)]
    said = [shell.api.ended(number, 60)["result"].get("stdout") for number in numbers]
    assert said == [f"{n} {n} {n}" for n in range(60)]
