//! Keys, for holders of all kinds of grants.

use attune_domain::Json;
use attune_domain::audit::AuditFilter;
use attune_domain::page::Page;
use attune_domain::store::AuditStore;
use axum::http::StatusCode;
use serde_json::json;

use crate::world::{Person, World};

const KEYS: &str = "/api/v1/keys";

fn keys(actions: &[&str], constraints: &Json) -> Json {
    let mut grant = json!({"resource": "keys", "actions": actions});
    if !constraints.is_null() {
        grant["constraints"] = constraints.clone();
    }
    json!([grant, {"resource": "packs", "actions": ["create"]},
        {"resource": "permissions", "actions": ["manage"]}])
}

const ALL: [&str; 5] = ["read", "create", "update", "delete", "decrypt"];

async fn keeper<'w>(world: &'w World, name: &str) -> Person<'w> {
    world.person(name, keys(&ALL, &json!(null))).await
}

async fn add(person: &Person<'_>, reference: &str, more: &Json) -> (StatusCode, Json) {
    let mut body = json!({"ref": reference, "name": "N", "owner_type": "system", "value": 1});
    body.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
    person.post(KEYS, &body).await
}

async fn listed(person: &Person<'_>) -> Vec<String> {
    let (status, list) = person.get(KEYS).await;
    assert_eq!(status, StatusCode::OK, "{list}");
    let items = list["items"].as_array().unwrap();
    items.iter().map(|item| item["ref"].as_str().unwrap().to_owned()).collect()
}

#[tokio::test]
async fn values_come_back_as_they_were() {
    let world = World::new().await;
    let ada = keeper(&world, "ada").await;
    let values = [
        json!(null),
        json!(true),
        json!(0),
        json!(-7),
        json!(1.5),
        json!(u64::MAX),
        json!(""),
        json!("a\u{0}b"),
        json!([]),
        json!({}),
        json!({"a": [1, {"b": null}], "z": "x", "c": 1}),
    ];
    for (number, value) in values.iter().enumerate() {
        let reference = format!("k{number}");
        let (status, made) = add(&ada, &reference, &json!({"value": value})).await;
        assert_eq!((status, &made["data"]["value"]), (StatusCode::CREATED, value));
        let (_, read) = ada.get(&format!("{KEYS}/{reference}")).await;
        assert_eq!(read["data"], made["data"]);
    }
}

#[tokio::test]
async fn a_change_is_refused_when_the_key_is_not_as_expected() {
    let world = World::new().await;
    let ada = keeper(&world, "ada").await;
    add(&ada, "k", &json!({"value": {"a": 1}})).await;
    let path = format!("{KEYS}/k");
    let change = async |body: Json| {
        let (status, answer) = ada.put(&path, &body).await;
        (status.as_u16(), answer["data"]["version"].as_i64())
    };
    assert_eq!(change(json!({"value": 2, "expected_version": 9})).await, (409, None));
    assert_eq!(change(json!({"value": 2, "expected_version": 1})).await, (200, Some(2)));
    assert_eq!(change(json!({"value": 3, "expected_value": "2"})).await, (409, None));
    assert_eq!(change(json!({"value": 3, "expected_value": 2})).await, (200, Some(3)));
    assert_eq!(change(json!({"name": "M"})).await, (200, Some(4)));
    let (_, read) = ada.get(&path).await;
    assert_eq!((&read["data"]["value"], &read["data"]["name"]), (&json!(3), &json!("M")));
    let blind = world.person("blind", keys(&["read", "update"], &json!(null))).await;
    let (status, _) = blind.put(&path, &json!({"value": 4, "expected_value": 3})).await;
    assert_eq!(status, StatusCode::FORBIDDEN, "comparing is reading");
    let (status, changed) = blind.put(&path, &json!({"value": 4})).await;
    assert_eq!((status, &changed["data"]["value"]), (StatusCode::OK, &json!(null)));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn of_many_increments_none_is_lost() {
    let world = World::new().await;
    let ada = keeper(&world, "ada").await;
    add(&ada, "k", &json!({"value": 0})).await;
    let once = || async {
        let (status, answer) = ada.post(&format!("{KEYS}/k/increment"), &json!({})).await;
        assert_eq!(status, StatusCode::OK, "{answer}");
        answer["data"]["value"].as_i64().unwrap()
    };
    let mut seen = futures::future::join_all((0..100).map(|_| once())).await;
    seen.sort_unstable();
    assert_eq!(seen, (1..=100).collect::<Vec<_>>());
    add(&ada, "text", &json!({"value": "1"})).await;
    let (status, answer) = ada.post(&format!("{KEYS}/text/increment"), &json!({"by": 2})).await;
    assert_eq!(status, StatusCode::UNPROCESSABLE_ENTITY, "{answer}");
}

#[tokio::test]
async fn a_persons_keys_are_theirs_alone() {
    let world = World::new().await;
    let (ada, eve) = (keeper(&world, "ada").await, keeper(&world, "eve").await);
    let (status, made) = add(&ada, "adas", &json!({"owner_type": "identity"})).await;
    assert_eq!(status, StatusCode::CREATED, "{made}");
    let id = made["data"]["owner_identity"].as_i64().unwrap();
    let path = format!("{KEYS}/adas");
    assert_eq!(eve.get(&path).await.0, StatusCode::NOT_FOUND);
    assert_eq!(eve.put(&path, &json!({"value": 2})).await.0, StatusCode::NOT_FOUND);
    assert_eq!(eve.delete(&path).await.0, StatusCode::NOT_FOUND);
    assert_eq!(add(&eve, "adas", &json!({})).await.0, StatusCode::CONFLICT);
    let planted = json!({"owner_type": "identity", "owner_identity": id});
    assert_eq!(add(&eve, "planted", &planted).await.0, StatusCode::FORBIDDEN);
    let nobody = json!({"owner_type": "identity", "owner": "999"});
    assert_eq!(add(&eve, "planted", &nobody).await.0, StatusCode::NOT_FOUND);
    assert_eq!((listed(&ada).await, listed(&eve).await.len()), (vec!["adas".to_owned()], 0));
    let named = json!({"owner_types": ["identity"], "owner_refs": [id.to_string()]});
    let deputy = world.person("deputy", keys(&ALL, &named)).await;
    assert_eq!(deputy.get(&path).await.1["data"]["value"], json!(1));
    assert_eq!(listed(&deputy).await, ["adas"]);
    assert_eq!(add(&deputy, "k", &json!({})).await.0, StatusCode::FORBIDDEN);
    assert_eq!(deputy.delete(&path).await.0, StatusCode::OK);
}

#[tokio::test]
async fn grants_say_what_may_be_done() {
    let world = World::new().await;
    let ada = keeper(&world, "ada").await;
    add(&ada, "k", &json!({"value": "hush"})).await;
    let path = format!("{KEYS}/k");
    for (actions, get, value, put, delete) in [
        (&[][..], 403, json!(null), 403, 403),
        (&["read"][..], 200, json!(null), 403, 403),
        (&["read", "decrypt"][..], 200, json!("hush"), 403, 403),
        (&["read", "update"][..], 200, json!(null), 200, 403),
        (&["create"][..], 403, json!(null), 403, 403),
    ] {
        let name = format!("person {}", actions.join(" "));
        let person = world.person(&name.replace(' ', "_"), keys(actions, &json!(null))).await;
        let (status, read) = person.get(&path).await;
        assert_eq!(status.as_u16(), get, "{name}");
        assert_eq!(read["data"]["value"], value, "{name}");
        let (status, _) = person.put(&path, &json!({"name": "n"})).await;
        assert_eq!(status.as_u16(), put, "{name}");
        assert_eq!(person.delete(&path).await.0.as_u16(), delete, "{name}");
        let expected = if actions.contains(&"read") { 200 } else { 403 };
        assert_eq!(person.get(KEYS).await.0.as_u16(), expected, "{name}");
    }
    let other = world.person("other", keys(&["read"], &json!({"refs": ["x"]}))).await;
    assert_eq!(other.get(&path).await.0, StatusCode::NOT_FOUND);
    assert_eq!(other.put(&path, &json!({})).await.0, StatusCode::FORBIDDEN);
    let marked = world.person("marked", keys(&ALL, &json!({"encrypted": false}))).await;
    assert_eq!(marked.put(&path, &json!({"encrypted": true})).await.0, StatusCode::FORBIDDEN);
}

#[tokio::test]
async fn owners_are_looked_up() {
    let world = World::new().await;
    let ada = keeper(&world, "ada").await;
    let pack = json!({"ref": "demo", "label": "Demo", "version": "1"});
    let (_, pack) = ada.post("/api/v1/packs", &pack).await;
    let id = pack["data"]["id"].as_i64().unwrap();
    for (number, owner) in [
        json!({"owner_pack_ref": "demo"}),
        json!({"owner": "demo"}),
        json!({"owner_pack": id}),
        json!({"owner_pack": id, "owner_pack_ref": "demo", "owner": "demo"}),
    ]
    .into_iter()
    .enumerate()
    {
        let mut owner = owner;
        owner["owner_type"] = json!("pack");
        let (status, made) = add(&ada, &format!("k{number}"), &owner).await;
        assert_eq!(status, StatusCode::CREATED, "{made}");
        let data = &made["data"];
        assert_eq!((&data["owner"], &data["owner_pack"]), (&json!("demo"), &json!(id)));
    }
    for (owner, expected) in [
        (json!({"owner_type": "pack"}), 422),
        (json!({"owner_type": "pack", "owner": "missing"}), 404),
        (json!({"owner_type": "pack", "owner_pack": 999}), 404),
        (json!({"owner_type": "pack", "owner_pack": id, "owner": "x"}), 422),
        (json!({"owner_type": "pack", "owner_action_ref": "demo.a"}), 422),
        (json!({"owner_type": "action", "owner_action_ref": "demo.a"}), 404),
        (json!({"owner_type": "sensor", "owner_sensor_ref": "demo.s"}), 404),
        (json!({"owner_type": "system", "owner": "demo"}), 422),
        (json!({"owner_type": "identity", "owner": "ada"}), 422),
        (json!({"owner_type": "nobody"}), 422),
        (json!({"ref": "Upper"}), 422),
        (json!({"ttl_seconds": 0}), 422),
        (json!({"ttl_seconds": 5, "expires_at": "2099-01-01T00:00:00Z"}), 422),
        (json!({"value": "x".repeat(1 << 20)}), 422),
    ] {
        let (status, answer) = add(&ada, "wrong", &owner).await;
        assert_eq!(status.as_u16(), expected, "{answer}");
        assert!(!answer.to_string().contains("xxxx"));
    }
    // Who may not see the pack learns nothing of it.
    let eve = keeper(&world, "eve").await;
    let owner = json!({"owner_type": "pack", "owner": "demo"});
    assert_eq!(add(&eve, "eves", &owner).await.0, StatusCode::NOT_FOUND);
}

#[tokio::test]
async fn what_is_done_is_audited_without_the_value() {
    let world = World::new().await;
    let ada = keeper(&world, "ada").await;
    add(&ada, "k", &json!({"value": "hunter2"})).await;
    let path = format!("{KEYS}/k");
    ada.get(&path).await;
    ada.put(&path, &json!({"value": "hunter3"})).await;
    ada.delete(&path).await;
    let page = Page { number: 1, size: 100, count: false };
    let told = world.store.audit_events(world.scope().await, &AuditFilter::default(), page).await;
    let told = told.unwrap().items;
    let types: Vec<_> = told.iter().rev().map(|told| told.event.event_type.as_str()).collect();
    assert_eq!(types, ["key.create", "key.read", "key.update", "key.delete"]);
    for event in told {
        assert_eq!(event.actor_login.as_deref(), Some("ada"));
        assert_eq!(event.event.resource_ref.as_deref(), Some("k"));
        assert!(event.event.resource_id.is_some());
        assert!(!event.event.details.to_string().contains("hunter"));
    }
}

#[tokio::test]
async fn encryption_is_rotated_by_those_who_manage_it() {
    let world = World::new().await;
    let ada = keeper(&world, "ada").await;
    add(&ada, "k", &json!({"value": "hush"})).await;
    let rotate = "/api/v1/encryption/rotate";
    let (_, before) = ada.get("/api/v1/encryption").await;
    let (status, after) = ada.post(rotate, &json!({"what": "data_key"})).await;
    assert_eq!(status, StatusCode::OK, "{after}");
    assert_ne!(after["data"]["data_key"], before["data"]["data_key"]);
    let (_, same) = ada.post(rotate, &json!({"what": "master_key"})).await;
    assert_eq!(
        (&same["data"]["rewrapped"], &same["data"]["master_key"]),
        (&json!(0), &before["data"]["master_key"])
    );
    assert_eq!(ada.get(&format!("{KEYS}/k")).await.1["data"]["value"], json!("hush"));
    assert_eq!(ada.post(rotate, &json!({"what": "x"})).await.0.as_u16(), 422);
    let nobody = world.person("nobody", json!([])).await;
    assert_eq!(nobody.post(rotate, &json!({"what": "data_key"})).await.0.as_u16(), 403);
    assert_eq!(nobody.get("/api/v1/encryption").await.0.as_u16(), 403);
}
