"""The core pack's actions, run in the sandbox like any other."""

from support.api import Api


def test_echo(admin: Api) -> None:
    assert admin.result("core.echo", {"message": "hello"})["stdout"] == "hello"
    assert "stdout" not in admin.result("core.echo", {})


def test_noop_exits_with_the_code(admin: Api) -> None:
    assert admin.result("core.noop", {"message": "x"})["exit_code"] == 0
    ended = admin.run("core.noop", {"exit_code": 17})
    assert ended["status"] == "failed"
    assert ended["result"]["exit_code"] == 17
    assert ended["result"]["error"]


def test_noop_refuses_codes_that_are_none(admin: Api) -> None:
    ended = admin.run("core.noop", {"exit_code": 256})
    assert ended["result"]["failure_reason"] == "parameters"
    assert "exit_code" in ended["result"]["error"]


def test_sleep(admin: Api) -> None:
    assert admin.result("core.sleep", {"seconds": 0})["exit_code"] == 0
    slept = admin.result("core.sleep", {})
    assert slept["duration_ms"] >= 1000, "the default is one second"
