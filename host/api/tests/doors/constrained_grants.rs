//! Grants that are about some packs or actions only.

use attune_domain::Json;
use axum::body::Body;
use axum::http::StatusCode;
use serde_json::json;

use crate::world::{Person, World};

const ACTION: &str = "ref: act\nrunner_type: python\nentry_point: act.py\n\
    parameters: {token: {type: string, secret: true}, name: {type: string}}\n";

async fn upload(person: &Person<'_>, pack: &str, force: bool) -> StatusCode {
    let manifest = format!("ref: {pack}\nlabel: Some\nversion: '1'\n");
    let files = [
        ("pack.yaml", manifest.as_str()),
        ("actions/act.yaml", ACTION),
        ("actions/act.py", "print(1)\n"),
    ];
    person.upload(&files, force).await.0
}

/// Somebody who made the packs `demo` and `other`, and may execute their actions.
async fn author(world: &World) -> Person<'_> {
    let grants = json!([
        {"resource": "packs", "actions": ["install"]},
        {"resource": "actions", "actions": ["execute"]},
    ]);
    let author = world.person("author", grants).await;
    for pack in ["demo", "other"] {
        assert_eq!(upload(&author, pack, false).await, StatusCode::CREATED);
    }
    author
}

/// The path of a new execution of `<pack>.act`.
async fn execution(author: &Person<'_>, pack: &str) -> String {
    let body = json!({"action_ref": format!("{pack}.act"),
        "parameters": {"token": "hush", "name": "a"}});
    let (status, answer) = author.post("/api/v1/executions/execute", &body).await;
    assert_eq!(status, StatusCode::CREATED, "{answer}");
    format!("/api/v1/executions/{}", answer["data"]["id"])
}

fn grant(resource: &str, action: &str, constraints: &Json) -> Json {
    json!({"resource": resource, "actions": [action], "constraints": constraints})
}

#[tokio::test]
async fn a_pack_is_installed_by_those_who_may_install_it() {
    let world = World::new().await;
    let grants = json!([grant("packs", "install", &json!({"refs": ["mine"]}))]);
    let person = world.person("person", grants).await;
    assert_eq!(upload(&person, "mine", false).await, StatusCode::CREATED);
    assert_eq!(upload(&person, "another", false).await, StatusCode::FORBIDDEN);
    let nobody = world.person("nobody", json!([])).await;
    let path = "/api/v1/packs/upload";
    let (status, _) = nobody.send("POST", path, "text/plain", Body::from("unread")).await;
    assert_eq!(status, StatusCode::FORBIDDEN, "refused before the form is looked at");
}

#[tokio::test]
async fn a_pack_is_replaced_by_those_who_may_see_it() {
    let world = World::new().await;
    let author = author(&world).await;
    let install = json!({"resource": "packs", "actions": ["install"]});
    let blind = json!([install, {"resource": "packs", "actions": ["read"]}]);
    let blind = world.person("blind", blind).await;
    assert_eq!(upload(&blind, "demo", true).await, StatusCode::CONFLICT);
    let sees = json!([install, grant("packs", "read", &json!({"refs": ["demo"]}))]);
    let sees = world.person("sees", sees).await;
    assert_eq!(upload(&sees, "demo", true).await, StatusCode::CREATED);
    assert_eq!(upload(&sees, "other", true).await, StatusCode::CONFLICT);
    assert_eq!(
        author.get("/api/v1/packs/demo").await.0,
        StatusCode::OK,
        "it is still the author's"
    );
}

#[tokio::test]
async fn executions_are_cancelled_by_pack_and_by_action() {
    let world = World::new().await;
    let author = author(&world).await;
    for (name, constraints) in
        [("of_pack", json!({"pack_refs": ["demo"]})), ("of_action", json!({"refs": ["demo.act"]}))]
    {
        let person = world.person(name, json!([grant("executions", "cancel", &constraints)])).await;
        let cancel = async |pack: &str| {
            let path = format!("{}/cancel", execution(&author, pack).await);
            person.post(&path, &json!({})).await.0
        };
        assert_eq!(cancel("demo").await, StatusCode::OK, "{name}");
        assert_eq!(cancel("other").await, StatusCode::FORBIDDEN, "{name}");
    }
}

#[tokio::test]
async fn secrets_are_decrypted_by_pack() {
    let world = World::new().await;
    let author = author(&world).await;
    let grants = json!([grant("executions", "decrypt", &json!({"pack_refs": ["demo"]}))]);
    let person = world.person("person", grants).await;
    let config = async |pack: &str, query: &str| {
        let path = format!("{}{query}", execution(&author, pack).await);
        person.get(&path).await.1["data"]["config"].clone()
    };
    let (shown, hidden) =
        (json!({"token": "hush", "name": "a"}), json!({"token": "***", "name": "a"}));
    assert_eq!(config("demo", "?include_secret_values=true").await, shown);
    assert_eq!(config("other", "?include_secret_values=true").await, hidden);
    assert_eq!(config("demo", "").await, hidden);
}
