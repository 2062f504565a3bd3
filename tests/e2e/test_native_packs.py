"""Programs of packs that run natively: shell, Python, Node, executables (contract, packs 6.2)."""

import json
from pathlib import Path

import pytest

from support.api import Api, Json, data, error
from support.native import (
    PACK_FOLDER,
    Program,
    Programs,
    native,
    native_files,
    native_pack,
    node,
    python,
    shell,
)
from support.packs import archive_files, pack_files, small_pack, unique
from support.server import Server
from support.sse import log_events, log_text

# Each prints what it was given, by whichever way.
GIVEN = {
    "shell": shell('cat ${ATTUNE_PARAMETER_FILE:+"$ATTUNE_PARAMETER_FILE"} -'),
    "python": python("""
        import os, sys
        if path := os.environ.get("ATTUNE_PARAMETER_FILE"):
            sys.stdout.write(open(path).read())
        sys.stdout.write(sys.stdin.read())
    """),
    "node": node("""
        const fs = require("fs");
        const path = process.env.ATTUNE_PARAMETER_FILE;
        if (path) process.stdout.write(fs.readFileSync(path));
        process.stdin.pipe(process.stdout);
    """),
    "native": native("""
        #!/bin/sh
        exec cat ${ATTUNE_PARAMETER_FILE:+"$ATTUNE_PARAMETER_FILE"} -
    """),
}
KINDS = [*GIVEN]
SENT = {
    "text": 'it\'s "quoted" $(id)\ntwo',
    "ü": "größe",
    "nested": {"list": [1, None, True], "deep": {"a": 1.5}},
    "queue_item": {"id": 7, "item": {"a": 1}},
}
DOTENV = """nested.deep.a='1.5'
nested.list='[1,null,true]'
queue_item.id='7'
queue_item.item.a='1'
text='it'\\''s "quoted" $(id)
two'
ü='größe'
"""


@pytest.fixture(scope="module")
def given(shared_server: Server, admin_token: str) -> Programs:
    """An action for each kind of program, each way in and each format."""
    programs = {}
    for kind, program in GIVEN.items():
        for delivery in ("stdin", "file"):
            for form in ("json", "dotenv", "yaml"):
                manifest = {"parameter_delivery": delivery, "parameter_format": form}
                if form == "yaml":
                    manifest["output_format"] = "yaml"
                programs[f"{kind}_{delivery}_{form}"] = Program(
                    program.runner_type, program.source, {**program.manifest, **manifest}
                )
    return Programs(Api(shared_server.url, admin_token), **programs)


@pytest.mark.parametrize("delivery", ["stdin", "file"])
@pytest.mark.parametrize("kind", KINDS)
def test_parameters(server: Server, given: Programs, kind: str, delivery: str) -> None:
    def stdout(form: str) -> str:
        ended = given.run(f"{kind}_{delivery}_{form}", SENT)
        assert ended["status"] == "completed", ended["result"]
        return log_text(log_events(given.api, ended["id"], "stdout"))

    assert server.running
    text = stdout("json")
    assert json.loads(text) == SENT
    compact = json.dumps(json.loads(text), separators=(",", ":"), ensure_ascii=False)
    assert text == compact + "\n"
    item = text[text.index('"queue_item"') :]
    assert item.index('"id"') < item.index("}")
    assert stdout("dotenv").rstrip("\n") == DOTENV.rstrip("\n")
    assert given.data(f"{kind}_{delivery}_yaml", SENT) == SENT
    assert json.loads(given.says(f"{kind}_{delivery}_json")) == {}


def test_large_parameters(given: Programs, server: Server) -> None:
    """More than a pipe holds."""
    assert server.running
    sent = {"text": "ü" * 300_000}
    for delivery in ("stdin", "file"):
        assert json.loads(given.says(f"shell_{delivery}_json", sent)) == sent


def test_parameters_that_nobody_reads(admin: Api) -> None:
    pack = Programs(admin, deaf=shell("echo hi"), closes=shell("exec <&-; echo hi"))
    for action in ("deaf", "closes"):
        assert pack.says(action, {"text": "x" * 500_000}) == "hi"


@pytest.fixture
def pack(admin: Api) -> Programs:
    """What programs find around them."""
    return Programs(
        admin,
        {
            "data/names.txt": b"Ada\n",
            "lib/answer.sh": b"it=42\n",
            "lib/answer.js": b"exports.it=42",
        },
        file_mode=shell(
            'stat -c "%a %u" "$ATTUNE_PARAMETER_FILE"; id -u', parameter_delivery="file"
        ),
        env=shell("env | sort", parameter_delivery="file", parameter_format="dotenv"),
        files=shell("pwd; cat data/names.txt; . lib/answer.sh; echo $it"),
        node_files=node("console.log(require('../lib/answer.js').it, process.cwd())"),
        write=python(
            """
            import json, os
            def write(path):
                try:
                    with open(path, "w") as file:
                        file.write("x")
                    return "written"
                except OSError as problem:
                    return problem.strerror
            paths = ["new.txt", "actions/write.py", "data/names.txt", "../new.txt", "/tmp/new",
                     "/dev/shm/new", os.environ["HOME"] + "/own"]
            print(json.dumps({path: write(path) for path in paths}))
            """,
            output_format="json",
        ),
        modes=python(
            """
            import os
            for name in ("pack.yaml", "data", "actions/env.sh"):
                try:
                    os.chmod(name, 0o777)
                    print("changed", name)
                except OSError:
                    pass
            for do in (lambda: os.unlink("pack.yaml"), lambda: os.rename("data", "x"),
                       lambda: os.link("pack.yaml", "/tmp/link"), lambda: os.mkdir("new")):
                try:
                    do()
                    print("done")
                except OSError:
                    pass
            """
        ),
    )


def test_the_parameter_file_is_for_its_user_alone(pack: Programs) -> None:
    file, user = pack.says("file_mode", {"a": 1}).splitlines()
    assert file == f"600 {user}"


def test_the_delivery_is_told(pack: Programs) -> None:
    env = dict(line.split("=", 1) for line in pack.says("env").splitlines())
    assert env["ATTUNE_PARAMETER_DELIVERY"] == "file"
    assert env["ATTUNE_PARAMETER_FORMAT"] == "dotenv"
    assert env["ATTUNE_ACTION"] == f"{pack.ref}.env"
    assert env["ATTUNE_PARAMETER_FILE"].startswith("/tmp/")
    assert "ATTUNE_API_TOKEN" not in env


def test_the_working_directory_is_the_pack(pack: Programs) -> None:
    assert pack.says("files").splitlines() == [PACK_FOLDER, "Ada", "42"]
    assert pack.says("node_files") == f"42 {PACK_FOLDER}"


def test_the_pack_cannot_be_changed(pack: Programs) -> None:
    written = json.loads(json.dumps(pack.data("write")))
    good = {path for path, answer in written.items() if answer == "written"}
    assert good == {"/tmp/new", "/dev/shm/new", "/tmp/own"}, written
    assert pack.says("modes") == ""
    assert pack.data("write") == written, "and nothing is left of it"


def test_defaults_and_the_schema(admin: Api) -> None:
    schema = {
        "count": {"type": "integer", "default": 3},
        "name": {"type": "string", "required": True},
    }
    pack = Programs(admin, run=shell("cat", parameters=schema, output_format="json"))
    assert pack.data("run", {"name": "a"}) == {"name": "a", "count": 3}
    ended = pack.run("run", {"name": 7})
    assert ended["result"]["failure_reason"] == "parameters"
    assert "name" in ended["result"]["error"]


# Output.


@pytest.mark.parametrize(
    ("form", "stdout", "expected", "kept"),
    [
        ("json", '{"a": [1, null]}', {"a": [1, None]}, False),
        ("json", 'working\n{"a": 1}', {"a": 1}, True),
        ("json", '{\n  "a": 1\n}\n', {"a": 1}, False),
        ("json", "no json at all", None, True),
        ("jsonl", '1\n\n{"b": 2}\n', [1, {"b": 2}], False),
        ("yaml", "a: [1, two]\nb: null\n", {"a": [1, "two"], "b": None}, False),
        ("text", '{"a": 1}', None, True),
    ],
)
def test_formats(admin: Api, form: str, stdout: str, expected: object, kept: bool) -> None:
    text = f"cat <<'END'\n{stdout}\nEND\n"
    pack = Programs(
        admin,
        shell=shell(text, output_format=form),
        native=native(f"#!/bin/bash\n{text}", output_format=form),
        fails=shell(f"{text}exit 5", output_format=form),
    )
    for action in ("shell", "native", "fails"):
        ended = pack.run(action)
        assert ended["status"] == ("failed" if action == "fails" else "completed")
        result = ended["result"]
        assert result.get("data") == expected
        assert ("stdout" in result) == kept


@pytest.mark.parametrize("kind", KINDS)
def test_exit_codes(admin: Api, kind: str) -> None:
    sources = {
        "shell": shell("echo so far; exit 3"),
        "python": python("import sys\nprint('so far')\nsys.exit(3)"),
        "node": node("console.log('so far'); process.exit(3)"),
        "native": native("#!/bin/sh\necho so far; exit 3"),
    }
    result = Programs(admin, run=sources[kind]).run("run")["result"]
    assert (result["succeeded"], result["exit_code"]) == (False, 3)
    assert result["failure_reason"] == "exit"
    assert result["error"] == "Command exited with code 3"
    assert result["stdout"] == "so far"


def test_a_pack_s_script_does_not_stop_at_errors(admin: Api) -> None:
    """`-e` is for scripts made by API; the author of a file sets what he wants."""
    pack = Programs(admin, run=shell("false; echo on it goes"), strict=shell("set -e; false"))
    assert pack.says("run") == "on it goes"
    assert pack.run("strict")["result"]["exit_code"] == 1


def test_parameters_of_a_pack_s_script_are_no_variables(admin: Api) -> None:
    pack = Programs(admin, run=shell('echo "[${colour:-}] [${PARAM_COLOUR:-}]"'))
    assert pack.says("run", {"colour": "red"}) == "[] []"


def test_errors_of_the_languages(admin: Api) -> None:
    pack = Programs(
        admin,
        python=python("import absent_module"),
        node=node("require('absent-module')"),
        raises=python("raise ValueError('all is lost')"),
        rejects=node("Promise.reject(new Error('all is lost'))"),
    )
    for action, code, word in (
        ("python", 1, "absent_module"),
        ("node", 1, ""),
        ("raises", 1, "all is lost"),
        ("rejects", 1, ""),
    ):
        result = pack.run(action)["result"]
        assert (result["exit_code"], result["failure_reason"]) == (code, "exit")
        assert word in result["error"]


def test_it_is_a_real_python(admin: Api) -> None:
    source = """
        import ctypes, json, multiprocessing, os, subprocess, sys, tempfile, threading
        found = {"script": sys.argv[0], "name": __name__, "platform": sys.platform}
        found["child"] = subprocess.run(["echo", "hi"], capture_output=True, text=True).stdout
        thread = threading.Thread(target=lambda: found.update(thread=True))
        thread.start(), thread.join()
        with multiprocessing.Pool(2) as pool:
            found["pool"] = pool.map(abs, [-1, -2])
        with tempfile.NamedTemporaryFile() as file:
            found["file"] = os.path.exists(file.name)
        found["libc"] = ctypes.CDLL(None).getpid() == os.getpid()
        print(json.dumps(found))
    """
    found = Programs(admin, run=python(source, output_format="json")).data("run")
    assert found == {
        "script": f"{PACK_FOLDER}/actions/run.py",
        "name": "__main__",
        "platform": "linux",
        "child": "hi\n",
        "thread": True,
        "pool": [1, 2],
        "file": True,
        "libc": True,
    }


def test_python_does_not_hold_its_output_back(admin: Api) -> None:
    pack = Programs(admin, run=python("import time\nprint('begun')\ntime.sleep(600)"))
    number = pack.begun("run")
    assert pack.api.cancel(number).status_code == 200
    assert pack.api.ended(number)["result"]["stdout"] == "begun"


def test_it_is_a_real_node(admin: Api) -> None:
    source = """
        const { execFileSync } = require("child_process");
        const { Worker } = require("worker_threads");
        const fs = require("fs/promises");
        (async () => {
            await fs.writeFile("/tmp/x", "x");
            const worker = new Worker("require('worker_threads').parentPort.postMessage(6 * 7)",
                                      { eval: true });
            const thread = await new Promise((resolve) => worker.once("message", resolve));
            const child = execFileSync("echo", ["hi"]).toString();
            const file = await fs.readFile("/tmp/x", "utf8");
            console.log(JSON.stringify({ thread, child, file }));
        })();
    """
    found = Programs(admin, run=node(source, output_format="json")).data("run")
    assert found == {"thread": 42, "child": "hi\n", "file": "x"}


# Executables.


def test_an_executable_of_this_machine(admin: Api) -> None:
    program = native(Path("/usr/bin/printenv").read_bytes())
    told = Programs(admin, run=program).says("run", env_vars={"COLOUR": "red"})
    assert "COLOUR=red" in told.splitlines()


@pytest.mark.parametrize(
    ("content", "mode", "words"),
    [
        (b"#!/bin/sh\necho never\n", 0o644, "not executable"),
        (b"#!/no/such/interpreter\n", 0o755, "interpreter"),
        (b"\x7fELF nothing else", 0o755, "run"),
        (b"echo no first line\n", 0o755, "first line"),
        (b"", 0o755, "run"),
        (None, 0o755, "run"),
    ],
    ids="mode interpreter elf line empty missing".split(),
)
def test_what_cannot_be_executed(admin: Api, content: bytes | None, mode: int, words: str) -> None:
    ref = unique("native")
    files = native_files(ref, {"run": native(content or b"")})
    if content is None:
        del files["actions/run"]
    executable = ["actions/run"] if mode & 0o100 else []
    response = admin.upload(archive_files(files, executable=executable))
    if response.status_code != 201:
        assert words in error(response, response.status_code, response.json()["code"])
        return
    result = admin.run(f"{ref}.run")["result"]
    assert (result["succeeded"], result["failure_reason"]) == (False, "setup"), result
    assert words in result["error"]
    assert "stdout" not in result


# Where an action runs.


def told_runner(result: Json) -> Json:
    """Where a run says that it ran, natively."""
    runner: Json = result["runner"]
    assert runner["kind"] == "native"
    confinement = runner["confinement"]
    assert confinement.keys() == {"level", "applied"}
    assert confinement["level"] in ("full", "partial")
    assert confinement["applied"]
    assert all(isinstance(word, str) and word for word in confinement["applied"])
    return runner


def test_every_result_says_where_it_ran(admin: Api) -> None:
    pack = Programs(
        admin,
        shell=shell(":"),
        python=python("pass"),
        node=node(""),
        native=native("#!/bin/sh\n"),
        fails=shell("exit 3"),
        late=shell("sleep 600", timeout=1),
        wasm=python("pass", runner="wasm"),
        auto=python("pass", runner="auto"),
    )
    runners = [
        told_runner(pack.run(action)["result"])
        for action in ("shell", "python", "node", "native", "fails", "late")
    ]
    assert all(runner == runners[0] for runner in runners)
    for action in ("wasm", "auto"):
        assert pack.result(action)["runner"]["kind"] == "wasm"
    assert admin.result("core.noop")["runner"]["kind"] == "wasm"


def test_a_cancelled_run_says_it_as_well(admin: Api) -> None:
    pack = Programs(admin, run=shell("echo begun; sleep 600"))
    number = pack.begun("run")
    assert admin.cancel(number).status_code == 200
    told_runner(admin.ended(number)["result"])


@pytest.mark.parametrize("kind", ["shell", "node", "native"])
def test_the_sandbox_has_python_only(admin: Api, kind: str) -> None:
    program = GIVEN[kind]
    wants = Program(program.runner_type, program.source, {"runner": "wasm"})
    result = Programs(admin, run=wants).run("run")["result"]
    assert (result["succeeded"], result["failure_reason"]) == (False, "setup")
    for word in ("runner: wasm", "sandbox", "core.python"):
        assert word in result["error"]


def test_a_function_needs_the_sandbox(admin: Api) -> None:
    source = "def run(name='x'):\n    return name\n"
    pack = Programs(admin, run=python(source, entry_point="run.py:run"))
    result = pack.run("run")["result"]
    assert (result["succeeded"], result["failure_reason"]) == (False, "setup")
    for word in ("function", "sandbox"):
        assert word in result["error"]


def test_secrets_need_the_sandbox(admin: Api) -> None:
    permissions = {"http": [{"host": "example.org", "secrets": ["token"]}]}
    parameters = {"token": {"type": "string", "secret": True}}
    pack = Programs(admin, run=python("print(1)", permissions=permissions, parameters=parameters))
    result = pack.run("run", {"token": "x"})["result"]
    assert (result["succeeded"], result["failure_reason"]) == (False, "setup")
    assert "secrets" in result["error"]


@pytest.mark.parametrize("runner", ["fast", "", 7, ["native"], "Native"])
def test_runners_that_mean_nothing_are_refused_at_upload(admin: Api, runner: object) -> None:
    pack = native_pack(unique("native"), {"run": shell("echo hi", runner=runner)})
    response = admin.upload(pack)
    assert 400 <= response.status_code < 500, response.text
    assert "actions/run.yaml" in response.json()["error"]


@pytest.mark.parametrize("kind", ["shell", "python", "node"])
def test_a_file_that_is_missing_is_told_at_upload(admin: Api, kind: str) -> None:
    ref = unique("native")
    files = native_files(ref, {"run": GIVEN[kind]})
    files = {name: text for name, text in files.items() if not name.startswith("actions/run.") or
             name.endswith(".yaml")}  # fmt: skip
    response = admin.upload(archive_files(files))
    assert "entry_point" in error(response, response.status_code, response.json()["code"])


# New versions.


def test_an_update_is_used_at_once(admin: Api) -> None:
    pack = Programs(admin, run=shell("echo one"), other=native("#!/bin/sh\necho one"))
    assert (pack.says("run"), pack.says("other")) == ("one", "one")
    programs = {"run": python("print('two')"), "other": native("#!/bin/sh\necho two")}
    data(admin.upload(native_pack(pack.ref, programs), force=True), 201)
    assert (pack.says("run"), pack.says("other")) == ("two", "two")


def test_a_run_in_flight_keeps_its_version(admin: Api) -> None:
    late = shell("echo begun; sleep 1; . lib/answer.sh; echo $it")
    pack = Programs(admin, {"lib/answer.sh": b"it=1\n"}, late=late)
    number = pack.begun("late")
    update = native_pack(pack.ref, {"late": late}, {"lib/answer.sh": b"it=2\n"})
    data(admin.upload(update, force=True), 201)
    assert admin.execution(number)["status"] == "running"
    assert admin.ended(number)["result"]["stdout"] == "begun\n1"
    assert pack.says("late") == "begun\n2"


def test_a_pack_of_both_kinds(admin: Api) -> None:
    ref = unique("both")
    files = pack_files(ref, sandboxed="import json\nprint(json.dumps('here'))\n")
    files |= native_files(ref, {"native": shell("echo there")})
    data(admin.upload(archive_files(files)), 201)
    assert admin.result(f"{ref}.sandboxed")["data"] == "here"
    assert admin.result(f"{ref}.native")["stdout"] == "there"
    data(admin.upload(small_pack(ref), force=True), 201)
    error(admin.get(f"/api/v1/actions/{ref}.native"), 404, "NOT_FOUND")
