"""How shell actions end, and what is kept of what they wrote (contract, executions 3 and 4)."""

from collections.abc import Callable

import pytest

from support.api import Api, Json, error
from support.native import Programs, Shell, shell
from support.packs import unique
from support.processes import marked, zombies
from support.runs import going_on
from support.server import LOGIN, PASSWORD, Server
from support.sse import log_events, log_text, statuses

StartServer = Callable[..., Server]

# Sleepers of every kind, which know no other end; the variable SIGN is in their environment.
SLEEPERS = """
sleep 600 &
nohup sleep 600 > /dev/null 2>&1 &
setsid sleep 600 &
(setsid bash -c "trap '' TERM INT HUP; sleep 600 & sleep 600" &)
"""


@pytest.fixture
def script(admin: Api) -> Shell:
    return Shell(admin)


def failed(ended: Json, code: int, reason: str = "exit") -> Json:
    """The result of a run that has to have failed like this."""
    assert ended["status"] == "failed", ended
    result: Json = ended["result"]
    assert (result["succeeded"], result["exit_code"]) == (False, code), result
    assert result["failure_reason"] == reason
    assert result["error"]
    assert "exit_code" not in ended
    return result


def test_exit_0(script: Shell) -> None:
    ended = script.run("echo '  hello'; echo 'there '")
    assert ended["status"] == "completed"
    result = ended["result"]
    assert (result["succeeded"], result["exit_code"]) == (True, 0)
    assert result["stdout"] == "hello\nthere"
    assert result["usage"].keys() == {"fuel", "peak_memory_bytes", "wall_ms", "output_bytes"}
    assert result["usage"]["output_bytes"] == len("  hello\nthere \n")
    assert result["usage"]["peak_memory_bytes"] > 100_000
    assert result["usage"]["fuel"] == 0
    assert result["duration_ms"] >= 0
    assert result.keys().isdisjoint({"error", "failure_reason", "data", "stderr_log"})
    assert ended["created"] <= ended["started_at"] <= ended["updated"]


def test_silence(script: Shell) -> None:
    assert "stdout" not in script.run(":")["result"]


@pytest.mark.parametrize(
    ("text", "code"),
    [
        ("exit 1", 1),
        ("exit 2", 2),
        ("exit 126", 126),
        ("exit 128", 128),
        ("exit 255", 255),
        ("exit -1", 255),
        ("exit 257", 1),
        ("false; echo never", 1),
        ("(exit 7); echo never", 7),
        ("x=$(exit 9); echo never", 9),
        ("trap 'exit 4' EXIT; true", 4),
    ],
)
def test_exit_codes(script: Shell, text: str, code: int) -> None:
    result = failed(script.run(f"echo so far; {text}"), code)
    assert result["stdout"] == "so far"
    assert result["error"] == f"Command exited with code {code}"


@pytest.mark.parametrize(
    "text", ["exit 256", "false || true", "false | true", "if false; then :; fi"]
)
def test_what_is_no_failure(script: Shell, text: str) -> None:
    assert script.says(f"{text}\necho 'the end'" if "exit" not in text else text) in ("the end", "")


@pytest.mark.parametrize("signal", [1, 2, 6, 9, 11, 13, 14, 15, 31])
def test_signals(script: Shell, signal: int) -> None:
    result = failed(script.run(f"echo so far; kill -{signal} $$; sleep 600"), 128 + signal)
    assert result["stdout"] == "so far"


def test_a_crash_of_a_child_is_an_exit_code(script: Shell) -> None:
    failed(script.run("bash -c 'kill -SEGV $$'; echo never"), 139)


@pytest.mark.parametrize("body", ["echo.sh", "no_such_command --flag", "./actions/echo.sh"])
def test_a_body_that_names_no_command(script: Shell, body: str) -> None:
    result = failed(script.run(body), 127)
    assert body.split()[0] in result["error"]


def test_a_body_that_bash_cannot_read(script: Shell) -> None:
    result = failed(script.run("if true; then echo 'never"), 2)
    assert "unexpected" in result["error"]


def test_a_command_that_cannot_be_executed(script: Shell) -> None:
    failed(script.run("touch /tmp/x; /tmp/x"), 126)


def test_the_error_is_stderr_or_its_last_line(script: Shell) -> None:
    five = script.run("printf '%s\\n' one two three four five >&2; exit 1")
    assert five["result"]["error"] == "one\ntwo\nthree\nfour\nfive"
    six = script.run("printf '%s\\n' 1 2 3 4 5 'the last' >&2; exit 1")
    assert six["result"]["error"] == "the last"
    assert log_text(log_events(script.api, six["id"], "stderr")).startswith("1\n2\n")


def test_stderr_of_a_success_is_stored(script: Shell) -> None:
    result = script.run("echo careful >&2; echo fine")["result"]
    assert (result["stdout"], result["succeeded"]) == ("fine", True)
    assert result["stderr_log"]
    assert "error" not in result


def test_json_stays_text(script: Shell) -> None:
    """Nobody has asked for more: an action made by API has no output format."""
    result = script.run("echo '{\"a\": [1]}'")["result"]
    assert result["stdout"] == '{"a": [1]}'


@pytest.mark.parametrize(
    ("printed", "kept"),
    [
        ("before \\xff\\xfe after", "before \ufffd\ufffd after"),
        ("\\xc3", "\ufffd"),
        ("\\xed\\xa0\\x80.", "\ufffd\ufffd\ufffd."),
        ("\\x1b[31mred", "\x1b[31mred"),
        ("ü", "ü"),
    ],
)
def test_bytes_that_are_no_text(script: Shell, printed: str, kept: str) -> None:
    assert script.says(f"printf '{printed}'") == kept


def test_a_nul_in_the_output(script: Shell) -> None:
    told = script.says("printf 'a\\0b'")
    assert (told[0], told[-1]) == ("a", "b")


def test_every_status_in_its_turn(script: Shell) -> None:
    number = script.api.submit(script.action("echo x; exit 3"))["id"]
    seen = statuses(script.api, number)
    order = ["requested", "scheduled", "running", "failed"]
    assert seen == [status for status in order if status in seen]
    assert seen[-1] == "failed"


def test_output_comes_while_it_runs(script: Shell) -> None:
    number = script.begun("echo begun; sleep 600")
    with going_on(script.api, number):
        assert script.api.execution(number)["status"] == "running"


def test_failures_leave_no_trace(script: Shell) -> None:
    action = script.action('[ ! -e /tmp/x ] || echo traces; touch /tmp/x; exit "${code:-0}"')
    for code in (1, 2, 3, 0) * 5:
        ended = script.api.run(action, {"code": code})
        assert ended["status"] == ("failed" if code else "completed")
        assert "stdout" not in ended["result"]


# Truncation.


def test_streams_are_cut_at_their_limit(start_server: StartServer) -> None:
    server = start_server(limits_stream_bytes=1000)
    script = Shell(Api(server.url).login(LOGIN, PASSWORD))
    for stream, redirection in (("stdout", ""), ("stderr", ">&2")):
        ended = script.run(f"head -c 2500 /dev/zero | tr '\\0' x {redirection}")
        assert ended["status"] == "completed"
        result = ended["result"]
        assert result[f"{stream}_truncated"] is True
        assert result[f"{stream}_bytes_truncated"] == 1500
        assert result["usage"]["output_bytes"] == 2500
        notice = f"\n[OUTPUT TRUNCATED: {stream} exceeded size limit]"
        assert log_text(log_events(script.api, ended["id"], stream)) == "x" * 1000 + notice
        if stream == "stdout":
            assert result["stdout"] == "x" * 1000 + notice
    exact = script.run("head -c 1000 /dev/zero | tr '\\0' x")["result"]
    assert (exact["stdout"], "stdout_truncated" in exact) == ("x" * 1000, False)
    cut = script.run("for n in {1..500}; do printf 'ü%.0s' {1..3}; done; exit 3")
    assert failed(cut, 3)["stdout_truncated"] is True


def test_output_without_an_end(start_server: StartServer) -> None:
    server = start_server(limits_output_bytes=1_000_000, limits_stream_bytes=1000)
    script = Shell(Api(server.url).login(LOGIN, PASSWORD))
    sign = unique("sign")
    for text in ("yes", "yes >&2", "trap '' TERM PIPE; yes | cat; yes", "yes & yes >&2 & wait"):
        result = failed(script.run(text, env_vars={"SIGN": sign}), -1, "output")
        assert result.get("stdout_truncated") or result.get("stderr_truncated")
        assert marked(sign) == []


def test_ten_megabytes_are_the_limit(script: Shell) -> None:
    result = script.run("head -c 12000000 /dev/zero | tr '\\0' x")["result"]
    assert result["stdout_bytes_truncated"] == 2_000_000
    assert result["stdout"].endswith("\n[OUTPUT TRUNCATED: stdout exceeded size limit]")


# T3.23: cancelling.


def test_cancel_is_a_term_and_keeps_the_output(script: Shell, server: Server) -> None:
    sign = unique("sign")
    action = script.action("trap 'echo got TERM; exit 0' TERM; echo begun; sleep 600; echo never")
    number = script.api.submit(action, env_vars={"SIGN": sign})["id"]
    assert "begun" in log_text_so_far(script, number)
    assert script.api.cancel(number).json()["data"]["status"] in ("canceling", "cancelled")
    ended = script.api.ended(number)
    assert ended["status"] == "cancelled"
    result = ended["result"]
    assert (result["succeeded"], result["cancelled"]) == (False, True)
    assert result["failure_reason"] == "cancelled"
    assert result["error"]
    assert "exit_code" not in result
    assert result["stdout"] == "begun\ngot TERM"
    assert marked(sign) == []
    assert zombies(server.pid) == []
    error(script.api.cancel(number), 409, "CONFLICT")


def log_text_so_far(script: Shell, number: int) -> str:
    """What it has written, once it has written something."""
    path = f"/api/v1/executions/{number}/logs/stdout/stream"
    with script.api.http.stream("GET", path) as response:
        seen = ""
        for line in response.iter_lines():
            seen += line
            if "begun" in seen:
                break
        return seen


def test_cancel_reaches_the_children(script: Shell) -> None:
    """SIGTERM is for the whole process group."""
    child = 'trap "echo child got TERM; exit" TERM; echo begun; sleep 600'
    number = script.begun(f"trap 'wait; echo parent got TERM' TERM; bash -c '{child}'; wait")
    assert script.api.cancel(number).status_code == 200
    assert "child got TERM" in script.api.ended(number)["result"]["stdout"]


def test_cancel_without_a_trap(script: Shell) -> None:
    number = script.begun("echo begun; sleep 600; echo never")
    assert script.api.cancel(number).status_code == 200
    ended = script.api.ended(number)
    assert (ended["status"], ended["result"]["stdout"]) == ("cancelled", "begun")


@pytest.mark.timeout(180)
def test_cancel_of_what_does_not_listen(start_server: StartServer) -> None:
    """SIGKILL after 30 s; meanwhile it goes on, and a second cancel changes nothing."""
    script = Shell(Api(start_server().url).login(LOGIN, PASSWORD))
    sign = unique("sign")
    action = script.action("trap '' TERM; echo begun; while :; do sleep 1; done")
    number = script.api.submit(action, env_vars={"SIGN": sign})["id"]
    assert "begun" in log_text_so_far(script, number)
    assert script.api.cancel(number).status_code == 200
    assert script.api.execution(number)["status"] == "canceling"
    assert script.api.cancel(number).status_code in (200, 409)
    assert marked(sign) != []
    ended = script.api.ended(number, seconds=50)
    assert (ended["status"], ended["result"]["stdout"]) == ("cancelled", "begun")
    assert ended["result"]["duration_ms"] >= 30_000
    assert marked(sign) == []


# T2.9: timeouts.


@pytest.fixture
def impatient(admin: Api) -> Programs:
    """Actions whose time is over after a second."""
    return Programs(
        admin,
        asleep=shell("echo begun; sleep 600", timeout=1),
        busy=shell("echo begun; while :; do :; done", timeout=1),
        told=shell("trap 'echo got TERM; exit 0' TERM; echo begun; sleep 600", timeout=1),
        crowd=shell(SLEEPERS + "echo begun; wait; sleep 600", timeout=1),
        stopped=shell("echo begun; kill -STOP $$", timeout=1),
        deaf=shell("trap '' TERM; echo begun; while :; do sleep 1; done", timeout=1),
        in_time=shell("sleep 0.1; echo in time", timeout=1),
    )


@pytest.mark.parametrize("action", ["asleep", "busy", "told", "crowd", "stopped", "deaf"])
def test_timeouts(impatient: Programs, server: Server, action: str) -> None:
    sign = unique("sign")
    result = failed(impatient.run(action, env_vars={"SIGN": sign}), -1, "deadline")
    assert result["error"] == "Execution timed out after 1 seconds"
    lines = ["begun", "got TERM"] if action == "told" else ["begun"]
    assert result["stdout"].splitlines() == lines
    assert result["duration_ms"] >= 1000
    assert marked(sign) == []
    assert zombies(server.pid) == []
    assert impatient.says("in_time") == "in time"


def test_the_server_s_own_timeout(start_server: StartServer) -> None:
    server = start_server(limits_wall_ms=1000)
    script = Shell(Api(server.url).login(LOGIN, PASSWORD))
    result = failed(script.run("echo begun; sleep 600"), -1, "deadline")
    assert "timed out" in result["error"].lower()
    assert result["stdout"] == "begun"


# What a run leaves behind.


@pytest.mark.parametrize("end", ["exit 0", "exit 3", "kill -9 $$"])
def test_the_end_of_the_script_is_the_end_of_all(script: Shell, server: Server, end: str) -> None:
    """It is not waited for what still has its output open."""
    sign = unique("sign")
    counted = """
until [ "$(cat /proc/[0-9]*/comm | grep -c '^sleep$')" = 5 ]; do :; done
echo five
"""
    ended = script.run(SLEEPERS + counted + end, env_vars={"SIGN": sign})
    assert ended["result"]["stdout"] == "five"
    assert ended["result"]["exit_code"] == {"exit 0": 0, "exit 3": 3}.get(end, 137)
    assert marked(sign) == []
    assert zombies(server.pid) == []
