//! Manifests as authors write them, and the mistakes they make.

use std::fmt::Write;

use bytes::Bytes;
use serde_json::json;

use super::*;
use crate::files::Gathering;
use crate::limits::ArchiveLimits;

const PACK: &str = "ref: demo\nversion: 1.10\n";

fn read_all(entries: &[(&str, &str)]) -> Result<Manifests, ManifestError> {
    let mut gathering = Gathering::new(ArchiveLimits::default());
    for (path, text) in entries {
        let bytes = Bytes::copy_from_slice(text.as_bytes());
        gathering.add_file(path, PackFile { bytes, executable: false }).unwrap();
    }
    read(&gathering.finish().unwrap())
}

fn read_pack(yaml: &str) -> Result<NewPack, ManifestError> {
    read_all(&[("pack.yaml", yaml)]).map(|manifests| manifests.pack)
}

/// One action beside the file `actions/run.py`.
fn read_action(yaml: &str) -> Result<NewAction, ManifestError> {
    let files = [("pack.yaml", PACK), ("actions/a.yaml", yaml), ("actions/run.py", "")];
    read_all(&files).map(|mut manifests| manifests.actions.remove(0))
}

#[track_caller]
fn says(result: Result<impl std::fmt::Debug, ManifestError>, parts: &[&str]) {
    let error = result.unwrap_err().to_string();
    for part in parts {
        assert!(error.contains(part), "{error} lacks {part}");
    }
}

#[test]
fn a_small_pack() {
    let pack = read_pack(PACK).unwrap();
    assert_eq!((pack.reference.as_str(), pack.label.as_str()), ("demo", "demo"));
    assert_eq!(pack.version, "1.10", "a version is text, not a number");
    assert_eq!((pack.conf_schema, pack.meta, pack.is_standard), (json!({}), json!({}), false));
}

#[test]
fn both_spellings_of_a_key() {
    let other = "ref: demo\nversion: '1'\nname: Demo\nconfig_schema: {a: {type: string}}\n\
                 metadata: {b: 1}\nkeywords: [c]\nsystem: true\nunknown: [1]\n";
    let pack = read_pack(other).unwrap();
    assert_eq!(pack.label, "Demo");
    assert_eq!(pack.conf_schema, json!({"a": {"type": "string"}}));
    assert_eq!(
        (pack.meta, pack.tags, pack.is_standard),
        (json!({"b": 1}), vec!["c".to_owned()], true)
    );
}

#[test]
fn mistakes_in_a_pack_name_file_and_key() {
    says(read_pack("version: '1'"), &["pack.yaml", "'ref'", "missing"]);
    says(read_pack("ref: demo"), &["pack.yaml", "'version'", "missing"]);
    says(read_pack("ref: Demo\nversion: '1'"), &["'ref'", "lower-case"]);
    says(read_pack("ref: a..b\nversion: '1'"), &["'ref'"]);
    says(read_pack(&format!("ref: {}\nversion: '1'", "a".repeat(256))), &["255"]);
    says(read_pack(&format!("{PACK}label: ''")), &["'label'", "1 to 255"]);
    says(read_pack(&format!("{PACK}conf_schema: [1]")), &["'conf_schema'", "mapping"]);
    says(read_pack(&format!("{PACK}tags: {{a: 1}}")), &["pack.yaml", "line 3"]);
    says(read_pack(&format!("{PACK}ref: other")), &["pack.yaml", "line 3", "duplicate"]);
    says(read_pack("ref: [unclosed"), &["pack.yaml", "line 1"]);
    says(read_pack(""), &["pack.yaml"]);
}

#[test]
fn an_action_with_defaults() {
    let action = read_action("ref: a\nrunner_type: python3\nentry_point: actions/run.py").unwrap();
    assert_eq!((action.reference.as_str(), action.label.as_str()), ("demo.a", "a"));
    assert_eq!(action.entrypoint, "actions/run.py", "kept as it is written");
    assert_eq!(action.runtime_ref.as_deref(), Some("core.python"));
    assert_eq!((action.run, action.extra), (attune_domain::action::RunSpec::default(), json!({})));
}

#[test]
fn every_key_of_an_action() {
    let yaml = "ref: demo.a\nlabel: A\nrunner_type: python\nentry_point: run.py:main\n\
        parameters: {n: {type: integer, required: true}}\noutput_schema: {m: {type: string}}\n\
        parameter_delivery: file\nparameter_format: dotenv\noutput_format: jsonl\n\
        timeout: 20\non_lost: rerun\nmemory_mb: 64\naccesses_mcp: true\n\
        default_execution_permission_set_refs: [core.viewer]\nruntime_version: 3.11\n\
        worker_selector: {gpu: true}\nworker_tolerations: [{key: a, operator: equal}]\n\
        log_retention_policy: days\nlog_retention_limit: 3\n";
    let action = read_action(yaml).unwrap();
    assert_eq!(action.param_schema, Some(json!({"n": {"type": "integer", "required": true}})));
    assert_eq!(action.out_schema, Some(json!({"m": {"type": "string"}})));
    assert_eq!(action.default_permission_sets, ["core.viewer"]);
    assert_eq!(action.run.timeout, Some(std::time::Duration::from_secs(20)));
    assert_eq!(action.run.memory_bytes, Some(64 << 20));
    assert_eq!(action.run.on_lost, attune_domain::action::OnLost::Rerun);
    let extra = json!({"runtime_version_constraint": "3.11", "worker_selector": {"gpu": "true"},
        "worker_tolerations": [{"key": "a", "operator": "equal"}],
        "log_retention_policy": "days", "log_retention_limit": 3});
    assert_eq!(action.extra, extra);
}

#[test]
fn permissions_of_the_network() {
    let yaml = "ref: demo.a\nrunner_type: python\nentry_point: run.py\n\
        parameters: {token: {type: string, secret: true}}\npermissions:\n  http:\n\
        \x20   - API.example.test\n\
        \x20   - {host: '*', ports: [443, '8000-8010'], methods: [get], insecure_tls: true, secrets: [token]}\n\
        \x20   - {host: '*.example.test', ports: '*'}\n";
    let grants = serde_json::to_value(read_action(yaml).unwrap().run.http).unwrap();
    assert_eq!(
        grants,
        json!([
            {"host": "api.example.test", "ports": {"Ranges": [[80, 80], [443, 443]]},
             "methods": null, "insecure_tls": false, "secrets": []},
            {"host": "*", "ports": {"Ranges": [[443, 443], [8000, 8010]]}, "methods": ["GET"],
             "insecure_tls": true, "secrets": ["token"]},
            {"host": "*.example.test", "ports": "All", "methods": null, "insecure_tls": false,
             "secrets": []},
        ])
    );
}

#[test]
fn mistaken_permissions_are_named() {
    let with = |permissions: &str| {
        read_action(&format!(
            "ref: demo.a\nrunner_type: python\nentry_point: run.py\n\
             parameters: {{name: {{type: string}}}}\npermissions: {permissions}\n"
        ))
    };
    says(
        with("{http: ['http://a.test']}"),
        &["actions/a.yaml", "permissions.http", "http://a.test"],
    );
    says(with("{http: [{host: 'a*'}]}"), &["permissions.http", "`*`"]);
    says(with("{http: [{host: a.test, ports: ['9-8']}]}"), &["permissions.http", "9-8"]);
    says(with("{http: [{host: a.test, ports: all}]}"), &["permissions.http", "all"]);
    says(with("{http: [{host: a.test, ports: [0]}]}"), &["permissions.http[0]", "ports: 0"]);
    says(with("{http: [a.test, {ports: [80]}]}"), &["permissions.http[1]", "host"]);
    says(with("{http: [{host: a.test, method: [GET]}]}"), &["permissions.http[0]", "method"]);
    says(with("{http: [{host: a.test, methods: ['G T']}]}"), &["permissions.http[0]", "G T"]);
    says(with("{http: [3]}"), &["permissions.http[0]", "a table with a `host`"]);
    says(with("{http: [{host: a.test, secrets: [name]}]}"), &["permissions.http", "secret: true"]);
    says(with("{net: []}"), &["net"]);
}

#[test]
fn only_true_and_false_are_booleans() {
    let yaml = "ref: a\nentry_point: run.py\n\
        parameters: {type: object, properties: {n: {type: integer}}, required: [n, no, y]}\n";
    let schema = read_action(yaml).unwrap().param_schema.unwrap();
    assert_eq!(schema["required"], json!(["n", "no", "y"]));
}

#[test]
fn mistakes_in_an_action_name_file_and_key() {
    let python = "ref: a\nrunner_type: python\n";
    says(read_action(python), &["actions/a.yaml", "'entry_point'", "missing"]);
    says(
        read_action(&format!("{python}entry_point: gone.py:run")),
        &["actions/a.yaml", "'entry_point'", "'actions/gone.py'"],
    );
    says(read_action(&format!("{python}entry_point: ../pack.yaml")), &["not in the pack"]);
    let python = format!("{python}entry_point: run.py\n");
    says(read_action(&format!("{python}parameters: 7")), &["'parameters'", "mapping"]);
    says(read_action(&format!("{python}output_format: xml")), &["actions/a.yaml", "line 4", "xml"]);
    says(read_action(&format!("{python}timeout: 0")), &["actions/a.yaml", "line 4"]);
    says(
        read_action(&python.replace("ref: a", "ref: other.a")),
        &["'ref'", "begin it with 'demo.'"],
    );
}

#[test]
fn what_needs_no_file_and_what_is_switched_off() {
    let files = [
        ("pack.yaml", PACK),
        ("actions/a.yaml", "ref: a\nrunner_type: native\nentry_point: built-later"),
        ("actions/b.yaml", "ref: b\nworkflow_file: workflows/b.workflow.yaml"),
        ("actions/c.yaml", "ref: c\nentry_point: a.yaml\nenabled: false"),
        ("actions/workflows/b.workflow.yaml", "not: an action"),
    ];
    let actions = read_all(&files).unwrap().actions;
    let refs: Vec<&str> = actions.iter().map(|action| action.reference.as_str()).collect();
    assert_eq!(refs, ["demo.a", "demo.b"]);
}

#[test]
fn a_ref_is_defined_once() {
    let action = "ref: a\nentry_point: a.yaml";
    let files = [("pack.yaml", PACK), ("actions/a.yaml", action), ("actions/b.yaml", action)];
    says(read_all(&files), &["actions/b.yaml", "'demo.a'"]);
}

#[test]
fn permission_sets_stay_below_their_pack() {
    let set = |text: &str| read_all(&[("pack.yaml", PACK), ("permission_sets/a.yaml", text)]);
    let grants = "grants: [{resource: keys, action: read}, 7]";
    let sets = set(&format!("ref: demo.a\n{grants}")).unwrap().permission_sets;
    assert_eq!(sets[0].grants, json!([{"resource": "keys", "action": "read"}, 7]));
    says(set("ref: core.admin"), &["permission_sets/a.yaml", "demo."]);
}

#[test]
fn a_yaml_bomb_is_refused() {
    let mut bomb = format!("{PACK}meta:\n  a0: &a0 [x, x, x, x, x, x, x, x, x, x]\n");
    for level in 1..9 {
        let aliases = vec![format!("*a{}", level - 1); 10].join(", ");
        writeln!(bomb, "  a{level}: &a{level} [{aliases}]").unwrap();
    }
    says(read_pack(&bomb), &["pack.yaml"]);
    says(
        read_pack(&format!("{PACK}meta: {}{}", "[".repeat(5000), "]".repeat(5000))),
        &["pack.yaml"],
    );
    says(read_pack(&format!("{PACK}meta: '{}'", "x".repeat(300_000))), &["256 KiB"]);
}
