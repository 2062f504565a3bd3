"""What pack YAML may say, and what of it the API shows (contract, packs section 4)."""

from support.api import Api, data
from support.packs import archive_files, unique


def pack(pack_yaml: str, **actions: str) -> bytes:
    files = {"pack.yaml": pack_yaml, "actions/run.py": "print(1)\n"}
    files |= {f"actions/{name}.yaml": text for name, text in actions.items()}
    return archive_files({name: text.encode() for name, text in files.items()})


def test_the_other_names_of_keys(admin: Api) -> None:
    ref = unique()
    text = (
        f"ref: {ref}\nname: Named\nversion: '2'\nconfig_schema: {{a: {{type: string}}}}\n"
        "metadata: {origin: test}\nkeywords: [x, y]\n"
    )
    shown = data(admin.upload(pack(text)), 201)["pack"]
    assert shown["label"] == "Named"
    assert shown["conf_schema"] == {"a": {"type": "string"}}
    assert shown["meta"]["origin"] == "test"
    assert shown["tags"] == ["x", "y"]


def test_an_action_with_everything(admin: Api) -> None:
    ref = unique()
    action = (
        f"ref: {ref}.run\nlabel: Run\ndescription: told\nrunner_type: python3\n"
        "entry_point: actions/run.py\nparameters: {n: {type: integer, required: true}}\n"
        "output: {m: {type: integer}}\ndefault_execution_permission_set_refs: [core.viewer]\n"
        "tags: [t]\n"
    )
    data(admin.upload(pack(f"ref: {ref}\nversion: 1.0.0\n", run=action)), 201)
    shown = data(admin.get(f"/api/v1/actions/{ref}.run"))
    assert shown["label"] == "Run"
    assert shown["description"] == "told"
    assert shown["runtime_ref"] == "core.python"
    assert shown["entrypoint"] == "actions/run.py"
    assert shown["param_schema"] == {"n": {"type": "integer", "required": True}}
    assert shown["out_schema"] == {"m": {"type": "integer"}}
    assert shown["default_execution_permission_set_refs"] == ["core.viewer"]
    assert admin.result(f"{ref}.run", {"n": 1})["stdout"] == "1"


def test_a_parameter_schema_may_be_json_schema(admin: Api) -> None:
    ref = unique()
    schema = "{type: object, properties: {n: {type: integer}}, required: [n]}"
    action = f"ref: {ref}.run\nrunner_type: python\nentry_point: run.py\nparameters: {schema}\n"
    data(admin.upload(pack(f"ref: {ref}\nversion: 1.0.0\n", run=action)), 201)
    failed = admin.run(f"{ref}.run", {})
    assert failed["result"]["failure_reason"] == "parameters"
    assert "n" in failed["result"]["error"]
    assert admin.result(f"{ref}.run", {"n": 2})["stdout"] == "1"


def test_other_runners_can_be_installed(admin: Api) -> None:
    """Whether an action can run shows at its execution."""
    ref = unique()
    action = f"ref: {ref}.run\nrunner_type: shell\nentry_point: run.py\n"
    data(admin.upload(pack(f"ref: {ref}\nversion: 1.0.0\n", run=action)), 201)
    assert data(admin.get(f"/api/v1/actions/{ref}.run"))["runtime_ref"] == "core.shell"
    failed = admin.run(f"{ref}.run")
    assert failed["status"] == "failed"
    assert failed["result"]["error"]
    assert failed["result"]["failure_reason"]
