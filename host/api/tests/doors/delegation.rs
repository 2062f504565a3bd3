//! What the actions of an upload may run with: no more than the uploader holds.

use axum::http::StatusCode;
use serde_json::json;

use crate::world::{Person, World};

async fn editor(world: &World) -> Person<'_> {
    let grants = json!([
        {"resource": "packs", "actions": ["install"]},
        {"resource": "actions", "actions": ["read"]},
    ]);
    world.person("editor", grants).await
}

/// Uploads a pack whose one action runs with the set `wanted`, and which brings `demo.own`.
async fn upload(person: &Person<'_>, wanted: &str, own_grants: &str) -> StatusCode {
    let action = format!(
        "ref: act\nrunner_type: python\nentry_point: act.py\n\
         default_execution_permission_set_refs: [{wanted}]\n"
    );
    let files = [
        ("pack.yaml", "ref: demo\nlabel: Demo\nversion: '1'\n"),
        ("actions/act.yaml", &action),
        ("actions/act.py", "print(1)\n"),
        ("permission_sets/own.yaml", &format!("ref: own\ngrants: [{own_grants}]\n")),
    ];
    person.upload(&files, true).await.0
}

#[tokio::test]
async fn an_installed_set_is_delegated_by_those_who_hold_it() {
    let world = World::new().await;
    let editor = editor(&world).await;
    let wider = json!([{"resource": "identities", "actions": ["delete"]}]);
    let wider = world.add_set("wider", wider).await;
    assert_eq!(upload(&editor, &wider, "").await, StatusCode::FORBIDDEN);
    assert_eq!(upload(&editor, "no.such", "").await, StatusCode::BAD_REQUEST);
    assert_eq!(editor.get("/api/v1/packs/demo").await.0, StatusCode::NOT_FOUND);
    assert_eq!(upload(&editor, "editor_sets.all", "").await, StatusCode::CREATED);
    assert_eq!(upload(&editor, "standard", "").await, StatusCode::CREATED);
}

#[tokio::test]
async fn a_set_that_the_pack_brings_is_judged_as_it_will_be() {
    let world = World::new().await;
    let editor = editor(&world).await;
    let held = "{resource: actions, actions: [read]}";
    let not_held = "{resource: actions, actions: [delete]}";
    assert_eq!(upload(&editor, "demo.own", held).await, StatusCode::CREATED);
    assert_eq!(upload(&editor, "demo.own", not_held).await, StatusCode::FORBIDDEN);
}
