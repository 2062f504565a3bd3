"""What a script finds around it: stdin, environment, files (contract, packs section 6)."""

import json

import pytest

from support.api import Api, Json
from support.server import HOST_CANARY
from support.sse import log_events, log_text


@pytest.fixture
def surroundings(behaviour: Api) -> Json:
    answer: Json = behaviour.result("behaviour.environment")["data"]
    return answer


def test_parameters_on_stdin(behaviour: Api) -> None:
    sent = {"text": "ü 'quoted'", "number": 1.5, "nested": {"list": [1, None, True]}}
    result = behaviour.result("behaviour.echo", sent)
    assert result["data"] == sent


def test_json_is_one_compact_line(behaviour: Api) -> None:
    """Existing actions read it with line tools, and the id of a queue item by its place."""
    sent = {"queue_item": {"id": 7, "item": {"a": 1}}, "text": "two\nlines: ü", "z": [1, {"b": {}}]}
    ended = behaviour.run("behaviour.echo", sent)
    stdin = log_text(log_events(behaviour, ended["id"], "stdout"))
    assert json.loads(stdin) == sent
    compact = json.dumps(json.loads(stdin), separators=(",", ":"), ensure_ascii=False)
    assert stdin == compact + "\n"
    assert stdin.index('"id"') < stdin.index("}")


def test_dotenv_parameters(behaviour: Api) -> None:
    ended = behaviour.run("behaviour.echo_dotenv", {"a": "it's", "b": {"c": 1}, "d": [1, 2]})
    assert ended["result"]["stdout"].splitlines() == ["a='it'\\''s'", "b.c='1'", "d='[1,2]'"]


def test_yaml_parameters(behaviour: Api) -> None:
    sent = {"a": "no", "b": [1, {"c": None}]}
    assert behaviour.result("behaviour.echo_yaml", sent)["data"] == sent


def test_parameters_in_a_file(behaviour: Api) -> None:
    answer = behaviour.result("behaviour.from_file", {"a": 1})["data"]
    assert answer == {"file": {"a": 1}, "stdin": ""}


def test_it_is_the_main_script(surroundings: Json) -> None:
    assert surroundings["name"] == "__main__"
    assert surroundings["argv"][0].endswith("environment.py")


def test_the_working_directory_is_the_pack(surroundings: Json) -> None:
    assert {"pack.yaml", "actions", "lib", "data"} <= set(surroundings["files"])


def test_modules_and_data_of_the_pack(behaviour: Api) -> None:
    assert behaviour.result("behaviour.many_files")["data"] == ["Hello, Ada!", "Hello, Grace!"]


def test_attune_variables(behaviour: Api) -> None:
    ended = behaviour.run("behaviour.environment")
    env = ended["result"]["data"]["env"]
    assert env["ATTUNE_EXEC_ID"] == str(ended["id"])
    assert env["ATTUNE_ACTION"] == "behaviour.environment"
    assert env["ATTUNE_PACK_REF"] == "behaviour"
    assert env["ATTUNE_API_URL"].startswith("http")
    assert env["ATTUNE_PARAMETER_DELIVERY"] == "stdin"
    assert env["ATTUNE_PARAMETER_FORMAT"] == "json"
    assert {"ATTUNE_ARTIFACTS_DIR", "ATTUNE_RUNTIME_ENVS_DIR"} <= env.keys()
    assert env.keys().isdisjoint({"ATTUNE_API_TOKEN", "ATTUNE_RULE", "ATTUNE_TRIGGER"})


def test_the_request_s_variables(behaviour: Api) -> None:
    sent = {"COLOUR": "red", "ATTUNE_EXEC_ID": "7", "ATTUNE_API_TOKEN": "mine", "EMPTY": ""}
    ended = behaviour.run("behaviour.environment", env_vars=sent)
    env = ended["result"]["data"]["env"]
    assert (env["COLOUR"], env["EMPTY"]) == ("red", "")
    assert env["ATTUNE_EXEC_ID"] == str(ended["id"])
    assert "ATTUNE_API_TOKEN" not in env


def test_nothing_of_the_host(surroundings: Json) -> None:
    env = surroundings["env"]
    assert HOST_CANARY not in str(surroundings)
    assert env.keys().isdisjoint({"HOST_CANARY", "JWT_SECRET", "ATTUNE_BOOTSTRAP_PASSWORD"})
    strangers = {name for name in env if not name.startswith(("ATTUNE_", "PYTHON"))}
    assert strangers <= {"HOME", "PATH", "TMPDIR", "LANG", "PWD", "TZ"}
