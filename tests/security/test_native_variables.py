"""Variables of a request are data: whoever may execute an action may not make it run code of his
own, with its token and its keys (contract, packs section 6.3; scenario T3.10)."""

import base64

import pytest

from support.api import SECRETS, Api, Json
from support.native import Programs, Shell, native, node, python, shell
from support.packs import unique
from support.sse import log_events, log_text

# What makes bash run what a variable holds.
BASH = {
    "BASH_ENV": "$(echo evaluated >&2)",
    "ENV": "$(echo evaluated >&2)",
    "PROMPT_COMMAND": "echo evaluated >&2",
    "PS4": "$(echo evaluated >&2)",
    "BASHOPTS": "expand_aliases",
    "SHELLOPTS": "xtrace",
    "BASH_FUNC_echo%%": "() { builtin echo evaluated >&2; }",
    "BASH_FUNC_set%%": "() { echo evaluated >&2; }",
    "BASH_FUNC_declare%%": "() { echo evaluated >&2; }",
    "BASH_FUNC_cat%%": "() { echo evaluated >&2; }",
}
PYTHON = {
    # The module opens a browser.
    "PYTHONWARNINGS": "all:0:antigravity.x:0:0",
    "BROWSER": "/bin/sh -c 'echo evaluated >&2' #%s",
    "PYTHONSTARTUP": "/pack/actions/evil.py",
    "PYTHONINSPECT": "1",
    "PYTHONPATH": "/tmp",
}
NODE = {"NODE_OPTIONS": "--import=data:text/javascript,console.error('evaluated')"}


def written(api: Api, ended: Json) -> str:
    return "".join(log_text(log_events(api, ended["id"], name)) for name in ("stdout", "stderr"))


@pytest.mark.parametrize("name", [*BASH])
def test_what_bash_would_evaluate(admin: Api, name: str) -> None:
    script = Shell(admin)
    pack = Programs(admin, shell=shell("echo said; cat /dev/null"), native=native("#!/bin/bash\n"))
    variables = {name: BASH[name]} | ({"SHELLOPTS": "xtrace"} if name == "PS4" else {})
    adhoc = script.action("echo said; cat < /dev/null")
    for action in (adhoc, f"{pack.ref}.shell"):
        ended = admin.run(action, {"password": "hush"}, env_vars=variables)
        told = written(admin, ended)
        assert "evaluated" not in told.splitlines(), told
        assert told == "said\n"


def test_what_python_would_evaluate(admin: Api) -> None:
    pack = Programs(admin, run=python("print('said')"))
    ended = pack.run("run", env_vars=PYTHON)
    assert "evaluated" not in written(admin, ended).splitlines()
    assert ended["result"]["stdout"] == "said"


def test_what_node_would_evaluate(admin: Api) -> None:
    pack = Programs(admin, run=node("console.log('said')"))
    ended = pack.run("run", env_vars=NODE)
    assert "evaluated" not in written(admin, ended).splitlines()
    assert ended["result"]["stdout"] == "said"


def test_what_tar_would_evaluate(admin: Api) -> None:
    """Tools that scripts call read variables as well."""
    script = Shell(admin)
    action = script.action("cd /tmp; echo x > x; tar -cf y x; echo said")
    options = "--checkpoint=1 --checkpoint-action=exec='echo evaluated >&2'"
    ended = admin.run(action, env_vars={"TAR_OPTIONS": options})
    assert "evaluated" not in written(admin, ended).splitlines()
    assert ended["result"]["stdout"] == "said"


def test_an_executor_does_not_become_an_admin(admin: Api) -> None:
    """By way of an action that may more than its caller."""
    caller = Programs(
        admin,
        calls=python(
            """
            import json, os, sys, urllib.request
            given = json.load(sys.stdin)
            request = urllib.request.Request(
                os.environ["ATTUNE_API_URL"] + "/api/v1/executions/execute",
                json.dumps(given["asked"]).encode(),
                {"Content-Type": "application/json",
                 "Authorization": "Bearer " + os.environ["ATTUNE_API_TOKEN"]},
            )
            print(urllib.request.urlopen(request).read().decode())
            """,
            output_format="json",
            default_execution_permission_set_refs=["core.executor"],
        ),
    )
    made = unique("taken")
    body = f'{{"ref": "{made}", "label": "x", "version": "1"}}'
    code = (
        'curl -sS -o /dev/null -X POST "$ATTUNE_API_URL/api/v1/packs"'
        ' -H "Authorization: Bearer $ATTUNE_API_TOKEN" -H "Content-Type: application/json"'
        f" -d '{body}'"
    )
    mighty = Shell(admin).action("echo", default_execution_permission_set_refs=["core.admin"])
    asked = {"action_ref": mighty, "parameters": {}, "env_vars": {"BASH_ENV": f"$({code})"}}
    started = caller.data("calls", {"asked": asked})
    number = started["data"]["id"]
    assert admin.ended(number)["status"] == "completed"
    assert admin.get(f"/api/v1/packs/{made}").status_code == 404


def test_a_secret_is_not_had_by_a_variable(admin: Api) -> None:
    """Nobody who may not read a key reads it in an action's output, in whatever form."""
    secret = unique("planted")
    SECRETS.add(secret)
    action = Shell(admin).action("echo said")
    function = '() { builtin echo "$*" | base64 -w0; builtin declare "$@"; }'
    ended = admin.run(action, {"password": secret}, env_vars={"BASH_FUNC_declare%%": function})
    for word in written(admin, ended).split():
        assert secret not in base64.b64decode(word + "===", validate=False).decode("latin-1")


def test_ordinary_variables_are_still_there(admin: Api) -> None:
    names = "COLOUR PYTHONUNBUFFERED NODE_ENV LANG TZ EDITOR BASH_LIKE _X".split()
    sent = dict.fromkeys(names, "x")
    told = Shell(admin).says(f"printenv {' '.join(names)}", env_vars=sent)
    assert told.split() == ["x"] * len(names)
