//! Actions: created, changed, searched, deleted.

use attune_domain::action::{Action, ActionChange};
use attune_domain::store::{ActionFilter, StoreError};
use serde_json::json;

use crate::support::{
    ALL, Database, EMBEDDED, at, created_by_somebody, demo_action, fails, install, new_action, own,
};

pub(crate) fn refs(actions: &[Action]) -> Vec<&str> {
    actions.iter().map(|action| action.reference.as_str()).collect()
}

pub(crate) async fn an_action_reads_back(database: &mut dyn Database) {
    let store = database.store();
    let pack = install(&*store, EMBEDDED, "demo", &[]).await;
    let new = new_action("demo.hello");
    let made = store.create_action(own(), &pack, new.clone(), at(2)).await.unwrap();
    let read = store.action(own(), "demo.hello").await.unwrap().unwrap();
    assert_eq!((read.id, read.tenant, read.pack), (made.id, EMBEDDED, pack.id));
    assert_eq!((read.pack_ref.as_str(), read.run), ("demo", new.run));
    assert_eq!((read.param_schema, read.out_schema), (new.param_schema, None));
    assert_eq!((read.extra, read.runtime_ref), (new.extra, new.runtime_ref));
    assert_eq!(read.default_permission_sets, ["core.viewer"]);
    assert_eq!((read.created, read.updated), (at(2), at(2)));
}

pub(crate) async fn a_ref_is_taken_once(database: &mut dyn Database) {
    let store = database.store();
    let pack = install(&*store, EMBEDDED, "demo", &["demo.hello"]).await;
    let again = store.create_action(own(), &pack, new_action("demo.hello"), at(0)).await;
    fails!(again, StoreError::Duplicate(_));
    store.delete_pack(own(), "demo").await.unwrap();
    let orphan = store.create_action(own(), &pack, new_action("demo.late"), at(0)).await;
    fails!(orphan, StoreError::Conflict);
}

pub(crate) async fn an_action_runs_with_its_pack(database: &mut dyn Database) {
    let store = database.store();
    let action = demo_action(&*store, EMBEDDED).await;
    let runnable = store.runnable_action(own(), "demo.hello").await.unwrap().unwrap();
    assert_eq!((runnable.action.id, runnable.pack.id), (action.id, action.pack));
    assert_eq!(runnable.pack.digest.as_deref(), Some("demo-1"));
    assert!(store.runnable_action(own(), "demo.nothing").await.unwrap().is_none());
}

pub(crate) async fn an_action_can_be_changed(database: &mut dyn Database) {
    let store = database.store();
    demo_action(&*store, EMBEDDED).await;
    let extra = json!({"worker_selector": null, "worker_affinity": {"a": 1}});
    let change = ActionChange {
        label: Some("New".to_owned()),
        description: Some(None),
        out_schema: Some(json!({"x": {"type": "number"}})),
        extra: extra.as_object().cloned(),
        ..ActionChange::default()
    };
    store.update_action(own(), "demo.hello", change, at(8)).await.unwrap().unwrap();
    let read = store.action(own(), "demo.hello").await.unwrap().unwrap();
    assert_eq!((read.label.as_str(), read.description), ("New", None));
    assert_eq!(read.entrypoint, "hello.py");
    assert!(read.param_schema.is_some() && read.out_schema.is_some());
    assert_eq!((read.extra, read.updated), (json!({"worker_affinity": {"a": 1}}), at(8)));
    let none = store.update_action(own(), "demo.x", ActionChange::default(), at(8)).await;
    assert!(none.unwrap().is_none());
}

pub(crate) async fn a_search_is_for_plain_text(database: &mut dyn Database) {
    let store = database.store();
    install(&*store, EMBEDDED, "demo", &["demo.send_mail", "demo.sendXmail"]).await;
    install(&*store, EMBEDDED, "tools", &["tools.zip"]).await;
    let found = async |filter: ActionFilter| {
        let filter = ActionFilter { visible_packs: created_by_somebody(), ..filter };
        let listing = store.actions(own(), &filter, ALL).await.unwrap();
        refs(&listing.items).join(" ")
    };
    let text = |text: &str| ActionFilter { text: Some(text.to_owned()), ..Default::default() };
    assert_eq!(found(text("SEND_")).await, "demo.send_mail");
    assert_eq!(found(text("100%")).await, "demo.sendXmail demo.send_mail tools.zip");
    assert_eq!(found(text("1%0")).await, "");
    let pack = ActionFilter { pack_ref: Some("tools".to_owned()), ..Default::default() };
    assert_eq!(found(pack).await, "tools.zip");
    let packs = ActionFilter { pack_refs: vec!["tools".to_owned()], ..Default::default() };
    assert_eq!(found(packs).await, "tools.zip");
    let unseen = store.actions(own(), &ActionFilter::default(), ALL).await.unwrap();
    assert!(unseen.items.is_empty());
}

pub(crate) async fn an_action_can_be_deleted(database: &mut dyn Database) {
    let store = database.store();
    demo_action(&*store, EMBEDDED).await;
    assert!(store.delete_action(own(), "demo.hello").await.unwrap());
    assert!(!store.delete_action(own(), "demo.hello").await.unwrap());
    assert!(store.action(own(), "demo.hello").await.unwrap().is_none());
}
