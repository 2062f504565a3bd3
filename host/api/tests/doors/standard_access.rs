//! The reserved permission set `standard`: an execution and the keys of its action and pack.

use std::sync::Arc;

use attune_domain::Json;
use attune_domain::egress::{Caller, Network};
use attune_domain::id::{ExecutionId, IdentityId};
use axum::http::StatusCode;
use serde_json::json;

use crate::world::{Person, World};

const KEYS: &str = "/api/v1/keys";
const ACTION: &str = "ref: act\nrunner_type: python\nentry_point: act.py\n";

async fn author(world: &World) -> Person<'_> {
    let grants = json!([
        {"resource": "packs", "actions": ["install"]},
        {"resource": "actions", "actions": ["execute"]},
        {"resource": "keys", "actions": ["read", "create", "delete"]},
    ]);
    let author = world.person("author", grants).await;
    for pack in ["demo", "other"] {
        let manifest = format!("ref: {pack}\nlabel: Some\nversion: '1'\n");
        let files = [
            ("pack.yaml", manifest.as_str()),
            ("actions/act.yaml", ACTION),
            ("actions/act.py", "print(1)\n"),
        ];
        assert_eq!(author.upload(&files, false).await.0, StatusCode::CREATED);
    }
    author
}

/// An execution of `demo.act` on behalf of the author, with these permission sets.
async fn run(world: &World, author: &Person<'_>, sets: &[&str]) -> Caller {
    let body = json!({"action_ref": "demo.act"});
    let (status, answer) = author.post("/api/v1/executions/execute", &body).await;
    assert_eq!(status, StatusCode::CREATED, "{answer}");
    let me = author.get("/auth/me").await.1["data"]["id"].as_i64().unwrap();
    let sets: Vec<String> = sets.iter().map(|set| (*set).to_owned()).collect();
    Caller {
        scope: world.scope().await,
        execution: ExecutionId(answer["data"]["id"].as_i64().unwrap()),
        action: "demo.act".into(),
        executor: Some(IdentityId(me)),
        permission_sets: sets.into(),
        network: Arc::new(Network::default()),
    }
}

fn key(reference: &str, owner_type: &str, owner: &Json) -> Json {
    json!({"ref": reference, "name": "N", "owner_type": owner_type, "owner": owner, "value": 1})
}

/// What the keys of the test are like: ref, kind of owner, owner, whether the run may have it.
fn all() -> [(&'static str, &'static str, Json, bool); 6] {
    [
        ("action", "action", json!("demo.act"), true),
        ("other_action", "action", json!("other.act"), false),
        ("other_pack", "pack", json!("other"), false),
        ("pack", "pack", json!("demo"), true),
        ("persons", "identity", json!(null), false),
        ("system", "system", json!(null), false),
    ]
}

#[tokio::test]
async fn an_execution_has_the_keys_of_its_action_and_pack() {
    let world = World::new().await;
    let author = author(&world).await;
    for (reference, kind, owner, _) in all() {
        let (status, answer) = author.post(KEYS, &key(reference, kind, &owner)).await;
        assert_eq!(status, StatusCode::CREATED, "{answer}");
    }
    let run = run(&world, &author, &["standard"]).await;
    let (_, list) = world.inside_answer(&run, "GET", KEYS, &json!({})).await;
    let refs = list["items"].as_array().unwrap().iter().map(|item| &item["ref"]);
    assert_eq!(refs.collect::<Vec<_>>(), [&json!("action"), &json!("pack")]);
    for (reference, kind, owner, may) in all() {
        let path = format!("{KEYS}/{reference}");
        let (status, read) = world.inside_answer(&run, "GET", &path, &json!({})).await;
        let expected = if may { (200, json!(1)) } else { (404, json!(null)) };
        assert_eq!((status.as_u16(), read["data"]["value"].clone()), expected, "{reference}");
        let change = json!({"value": 2});
        let (status, _) = world.inside_answer(&run, "PUT", &path, &change).await;
        assert_eq!(status.as_u16(), expected.0, "{reference}");
        let (status, _) = world.inside_answer(&run, "DELETE", &path, &json!({})).await;
        assert_eq!(status.as_u16(), expected.0, "{reference}");
        let new = key(&format!("new_{reference}"), kind, &owner);
        let (status, answer) = world.inside_answer(&run, "POST", KEYS, &new).await;
        let refused = [403, 404].contains(&status.as_u16());
        assert!(if may { status.as_u16() == 201 } else { refused }, "{reference}: {answer}");
    }
}

#[tokio::test]
async fn without_the_set_it_has_what_its_sets_give() {
    let world = World::new().await;
    let author = author(&world).await;
    author.post(KEYS, &key("pack", "pack", &json!("demo"))).await;
    let reads = json!([{"resource": "keys", "actions": ["read"]}]);
    let set = world.add_set("reads", reads).await;
    let run = run(&world, &author, &[&set]).await;
    let path = format!("{KEYS}/pack");
    let (status, read) = world.inside_answer(&run, "GET", &path, &json!({})).await;
    assert_eq!((status, &read["data"]["value"]), (StatusCode::OK, &json!(null)));
    let (status, _) = world.inside_answer(&run, "DELETE", &path, &json!({})).await;
    assert_eq!(status, StatusCode::FORBIDDEN);
}

#[tokio::test]
async fn an_action_that_took_the_ref_gets_nothing_of_the_run() {
    let world = World::new().await;
    let author = author(&world).await;
    let run = run(&world, &author, &["standard"]).await;
    let files = [
        ("pack.yaml", "ref: demo\nlabel: Some\nversion: '2'\n"),
        ("actions/new.yaml", "ref: new\nrunner_type: python\nentry_point: new.py\n"),
        ("actions/new.py", "print(1)\n"),
    ];
    assert_eq!(author.upload(&files, true).await.0, StatusCode::CREATED);
    let (status, _) = world.inside_answer(&run, "GET", KEYS, &json!({})).await;
    assert_eq!(status, StatusCode::FORBIDDEN);
}
