"""What `result` holds for each way a run can end (contract, executions section 3)."""

import pytest

from support.api import Api, Json
from support.sse import log_events, log_text


def say(api: Api, action: str = "say", **parameters: object) -> Json:
    return api.run(f"behaviour.{action}", parameters)


def test_exit_0(behaviour: Api) -> None:
    ended = say(behaviour, stdout="  hello\nthere \n")
    assert ended["status"] == "completed"
    result = ended["result"]
    assert result["succeeded"] is True
    assert result["exit_code"] == 0
    assert result["stdout"] == "hello\nthere"
    assert result["duration_ms"] >= 0
    assert result["usage"].keys() == {"fuel", "peak_memory_bytes", "wall_ms", "output_bytes"}
    assert result["usage"]["fuel"] > 0
    assert result["usage"]["peak_memory_bytes"] > 1_000_000
    assert result["usage"]["output_bytes"] == len("  hello\nthere \n")
    assert result.keys().isdisjoint({"error", "failure_reason", "data", "stderr_log"})


def test_silence(behaviour: Api) -> None:
    assert "stdout" not in say(behaviour)["result"]


def test_stderr_of_a_success_is_stored(behaviour: Api) -> None:
    assert say(behaviour, stdout="a", stderr="careful\n")["result"]["stderr_log"]


@pytest.mark.parametrize("code", [1, 3, 127, 255])
def test_other_exit_codes(behaviour: Api, code: int) -> None:
    ended = say(behaviour, stdout="so far", code=code)
    assert ended["status"] == "failed"
    result = ended["result"]
    assert result["succeeded"] is False
    assert result["exit_code"] == code
    assert result["error"] == f"Command exited with code {code}"
    assert result["failure_reason"] == "exit"
    assert result["stdout"] == "so far"
    assert "exit_code" not in ended


def test_the_error_is_stderr_or_its_last_line(behaviour: Api) -> None:
    short = say(behaviour, stderr="one\ntwo\nthree\nfour\nfive\n", code=1)["result"]
    assert short["error"] == "one\ntwo\nthree\nfour\nfive"
    long = say(behaviour, stderr="1\n2\n3\n4\n5\nthe last\n", code=1)["result"]
    assert long["error"] == "the last"


def test_a_traceback(behaviour: Api) -> None:
    ended = behaviour.run("behaviour.no_such_module")
    assert ended["result"]["exit_code"] == 1
    assert "absent_module" in ended["result"]["error"]


@pytest.mark.parametrize(
    ("action", "stdout", "data", "kept"),
    [
        ("say_json", '{"a": [1, null]}\n', {"a": [1, None]}, False),
        ("say_json", 'working\n{"a": 1}\n', {"a": 1}, True),
        ("say_json", '{\n  "a": 1\n}\n', {"a": 1}, False),
        ("say_jsonl", '1\n\n{"b": 2}\n', [1, {"b": 2}], False),
        ("say_yaml", "a: [1, two]\nb: null\n", {"a": [1, "two"], "b": None}, False),
    ],
)
def test_formats(behaviour: Api, action: str, stdout: str, data: object, kept: bool) -> None:
    ended = say(behaviour, action, stdout=stdout)
    assert ended["status"] == "completed"
    assert ended["result"]["data"] == data
    assert ("stdout" in ended["result"]) == kept


def test_output_that_does_not_parse_stays_text(behaviour: Api) -> None:
    ended = say(behaviour, "say_json", stdout="no json at all")
    assert ended["status"] == "completed"
    assert ended["result"]["stdout"] == "no json at all"
    assert "data" not in ended["result"]


def test_a_failure_keeps_its_data(behaviour: Api) -> None:
    ended = say(behaviour, "say_json", stdout='{"why": "x"}', code=1)
    assert ended["status"] == "failed"
    assert ended["result"]["data"] == {"why": "x"}


def test_a_failure_leaves_no_trace_in_the_next_run(behaviour: Api) -> None:
    for _ in range(20):
        assert say(behaviour, stderr="bad\n", code=1)["status"] == "failed"
    assert say(behaviour, stdout="good")["result"]["stdout"] == "good"


def test_binary_output_is_replaced(behaviour: Api) -> None:
    result = behaviour.result("behaviour.binary")
    assert result["stdout"].startswith("before \ufffd\ufffd")
    assert result["stdout"].endswith(" after")


@pytest.mark.parametrize("stream", ["stdout", "stderr"])
def test_truncation(behaviour: Api, stream: str) -> None:
    ended = behaviour.run("behaviour.flood", {"bytes": 12_000_000, "stream": stream})
    assert ended["status"] == "completed"
    result = ended["result"]
    assert result[f"{stream}_truncated"] is True
    assert result[f"{stream}_bytes_truncated"] == 2_000_000
    assert result["usage"]["output_bytes"] == 12_000_000
    if stream == "stdout":
        assert len(result["stdout"]) < 10_000_200
        notice = "[OUTPUT TRUNCATED: stdout exceeded size limit]"
        assert result["stdout"].endswith(f"\n{notice}")
    log = log_text(log_events(behaviour, ended["id"], stream))
    assert log.endswith(f"\n[OUTPUT TRUNCATED: {stream} exceeded size limit]")


def test_no_truncation_below_the_cap(behaviour: Api) -> None:
    result = behaviour.result("behaviour.flood", {"bytes": 9_000_000})
    assert "stdout_truncated" not in result
    assert len(result["stdout"]) == 9_000_000 - 1


def test_endless_output_meets_its_limit(behaviour: Api) -> None:
    ended = behaviour.run("behaviour.flood", {"bytes": 1_000_000_000})
    assert ended["status"] == "failed"
    assert ended["result"]["failure_reason"] == "output"
    assert ended["result"]["stdout_truncated"] is True


@pytest.mark.parametrize("action", ["sleeper_impatient", "busy_impatient"])
def test_timeouts(behaviour: Api, action: str) -> None:
    ended = behaviour.run(f"behaviour.{action}")
    assert ended["status"] == "failed"
    result = ended["result"]
    assert result["exit_code"] == -1
    assert result["error"] == "Execution timed out after 1 seconds"
    assert result["failure_reason"] == "deadline"
    assert result["stdout"] == "begun"
    assert 1000 <= result["duration_ms"] < 2000


def test_the_function_contract(behaviour: Api) -> None:
    result = behaviour.result("behaviour.greet", {"name": "Ada"})
    assert result["data"]["greeting"] == "Hello, Ada!"
    assert isinstance(result["data"]["context"], dict)
    assert result["stdout"] == "a line for the log"


def test_a_function_that_raises(behaviour: Api) -> None:
    ended = behaviour.run("behaviour.greet", {"problem": "all is lost"})
    assert ended["status"] == "failed"
    assert "all is lost" in ended["result"]["error"]
    assert ended["result"]["failure_reason"] == "exit"
