//! Packs: created, installed, replaced, deleted, listed.

use attune_domain::id::TenantId;
use attune_domain::pack::{Pack, PackChange, PackInstall};
use attune_domain::store::{PackFilter, Store, StoreError};
use serde_json::json;

use crate::support::{
    ALL, Database, EMBEDDED, SOMEBODY, at, created_by_somebody, fails, install, new_action,
    new_pack, own, pack_install, page, permission_set, scope,
};

pub(crate) fn refs(packs: &[Pack]) -> Vec<&str> {
    packs.iter().map(|pack| pack.reference.as_str()).collect()
}

async fn action_refs(store: &dyn Store) -> Vec<String> {
    let filter = attune_domain::store::ActionFilter {
        visible_packs: created_by_somebody(),
        ..Default::default()
    };
    let actions = store.actions(own(), &filter, ALL).await.unwrap().items;
    actions.into_iter().map(|action| action.reference).collect()
}

pub(crate) async fn a_pack_reads_back(database: &mut dyn Database) {
    let store = database.store();
    let made = store.create_pack(own(), new_pack("demo"), at(3)).await.unwrap();
    let read = store.pack(own(), "demo").await.unwrap().unwrap();
    assert_eq!((read.id, read.tenant, read.digest.clone()), (made.id, EMBEDDED, None));
    assert_eq!(read.config, json!({"retries": 3}));
    assert_eq!((read.tags, read.dependencies), (made.tags, vec!["core".to_owned()]));
    assert_eq!((read.created_by, read.created, read.updated), (Some(SOMEBODY), at(3), at(3)));
    assert!(store.pack(own(), "nothing").await.unwrap().is_none());
}

pub(crate) async fn a_ref_is_taken_once(database: &mut dyn Database) {
    let store = database.store();
    store.create_pack(own(), new_pack("demo"), at(0)).await.unwrap();
    match store.create_pack(own(), new_pack("demo"), at(0)).await {
        Err(StoreError::Duplicate(text)) => assert_eq!(text, "pack 'demo' already exists"),
        other => panic!("{other:?}"),
    }
    let again = pack_install("demo", "d1", &[]);
    fails!(store.install_pack(own(), again, at(0)).await, StoreError::Duplicate(_));
    assert!(store.pack_archive(EMBEDDED, "d1").await.unwrap().is_none());
}

pub(crate) async fn a_shared_ref_is_taken_for_all(database: &mut dyn Database) {
    let store = database.store();
    install(&*store, TenantId::SHARED, "core", &["core.echo"]).await;
    fails!(store.create_pack(own(), new_pack("core"), at(0)).await, StoreError::Duplicate(_));
    let forced = PackInstall { force: true, ..pack_install("core", "evil", &[]) };
    fails!(store.install_pack(own(), forced, at(0)).await, StoreError::Duplicate(_));
    let shadow = pack_install("mine", "mine", &["core.echo"]);
    fails!(store.install_pack(own(), shadow, at(0)).await, StoreError::Duplicate(_));
    let pack = store.pack(own(), "core").await.unwrap().unwrap();
    assert_eq!(pack.tenant, TenantId::SHARED);
}

pub(crate) async fn a_pack_can_be_changed(database: &mut dyn Database) {
    let store = database.store();
    install(&*store, EMBEDDED, "demo", &[]).await;
    let change = PackChange {
        label: Some("New".to_owned()),
        description: Some(Some("Text".to_owned())),
        config: Some(json!({"a": 1})),
        ..PackChange::default()
    };
    let changed = store.update_pack(own(), "demo", change, at(9)).await.unwrap().unwrap();
    let read = store.pack(own(), "demo").await.unwrap().unwrap();
    for pack in [changed, read] {
        assert_eq!((pack.label.as_str(), pack.version.as_str()), ("New", "1.0.0"));
        assert_eq!(pack.description.as_deref(), Some("Text"));
        assert_eq!((pack.config, pack.updated, pack.created), (json!({"a": 1}), at(9), at(0)));
        assert_eq!(pack.digest.as_deref(), Some("demo-1"));
    }
    let cleared = PackChange { description: Some(None), ..PackChange::default() };
    let cleared = store.update_pack(own(), "demo", cleared, at(9)).await.unwrap().unwrap();
    assert_eq!(cleared.description, None);
    let none = store.update_pack(own(), "nothing", PackChange::default(), at(9)).await.unwrap();
    assert!(none.is_none());
}

pub(crate) async fn a_forced_install_keeps_ids_and_drops_what_is_gone(database: &mut dyn Database) {
    let store = database.store();
    let pack = install(&*store, EMBEDDED, "demo", &["demo.a", "demo.b"]).await;
    let adhoc = attune_domain::action::NewAction { is_adhoc: true, ..new_action("demo.adhoc") };
    store.create_action(own(), &pack, adhoc, at(0)).await.unwrap();
    let kept = store.action(own(), "demo.b").await.unwrap().unwrap().id;

    let mut second = pack_install("demo", "demo-2", &["demo.b", "demo.c"]);
    second.force = true;
    second.pack.version = String::from("2.0.0");
    second.pack.created_by = None;
    second.actions[0].label = String::from("Second");
    let replaced = store.install_pack(own(), second, at(50)).await.unwrap();
    assert_eq!((replaced.id, replaced.version.as_str()), (pack.id, "2.0.0"));
    assert_eq!((replaced.created, replaced.updated), (at(0), at(50)));
    assert_eq!(replaced.created_by, Some(SOMEBODY));
    assert_eq!(action_refs(&*store).await, ["demo.adhoc", "demo.b", "demo.c"]);
    let action = store.action(own(), "demo.b").await.unwrap().unwrap();
    assert_eq!((action.id, action.label.as_str()), (kept, "Second"));
    assert_eq!((action.created, action.updated), (at(0), at(50)));
}

pub(crate) async fn an_install_that_fails_changes_nothing(database: &mut dyn Database) {
    let store = database.store();
    install(&*store, EMBEDDED, "one", &["one.a"]).await;
    let clash = pack_install("two", "two-1", &["two.a", "one.a"]);
    match store.install_pack(own(), clash, at(0)).await {
        Err(StoreError::Duplicate(text)) => assert_eq!(text, "action 'one.a' already exists"),
        other => panic!("{other:?}"),
    }
    assert!(store.pack(own(), "two").await.unwrap().is_none());
    assert!(store.action(own(), "two.a").await.unwrap().is_none());
    assert!(store.pack_archive(EMBEDDED, "two-1").await.unwrap().is_none());
    assert_eq!(store.action(own(), "one.a").await.unwrap().unwrap().pack_ref, "one");
}

pub(crate) async fn a_pack_goes_with_its_components(database: &mut dyn Database) {
    let store = database.store();
    let mut demo = pack_install("demo", "demo-1", &["demo.a"]);
    demo.permission_sets.push(permission_set("demo.users", "packs"));
    store.install_pack(own(), demo, at(0)).await.unwrap();
    install(&*store, EMBEDDED, "other", &["other.a"]).await;
    assert!(store.delete_pack(own(), "demo").await.unwrap());
    assert!(!store.delete_pack(own(), "demo").await.unwrap());
    assert_eq!(action_refs(&*store).await, ["other.a"]);
    assert!(store.permission_sets(own()).await.unwrap().is_empty());
}

pub(crate) async fn old_versions_are_kept_for_a_day(database: &mut dyn Database) {
    let store = database.store();
    let versions =
        |digest: &'static str| PackInstall { force: true, ..pack_install("demo", digest, &[]) };
    let in_use = async || {
        let rows = store.pack_versions_in_use().await.unwrap();
        rows.into_iter().map(|(_, digest)| digest).collect::<Vec<_>>()
    };
    store.install_pack(own(), versions("v1"), at(0)).await.unwrap();
    let archive = store.pack_archive(EMBEDDED, "v1").await.unwrap().unwrap();
    assert_eq!(archive, "archive v1");
    let day = 24 * 3600;
    store.install_pack(own(), versions("v2"), at(5 * day)).await.unwrap();
    assert_eq!(in_use().await, ["v1", "v2"]);
    store.install_pack(own(), versions("v3"), at(6 * day)).await.unwrap();
    assert_eq!(in_use().await, ["v1", "v2", "v3"]);
    store.install_pack(own(), versions("v2"), at(6 * day + 1)).await.unwrap();
    assert_eq!(in_use().await, ["v2", "v3"]);
    store.install_pack(own(), versions("v2"), at(9 * day)).await.unwrap();
    assert_eq!(in_use().await, ["v2"]);
}

pub(crate) async fn lists_show_what_the_filter_allows(database: &mut dyn Database) {
    let store = database.store();
    for reference in ["b", "a", "d"] {
        store.create_pack(own(), new_pack(reference), at(0)).await.unwrap();
    }
    let mut standard = new_pack("standard");
    (standard.is_standard, standard.created_by) = (true, None);
    store.create_pack(own(), standard, at(0)).await.unwrap();

    let standard_only = store.packs(own(), &PackFilter::default(), page(1, 9)).await.unwrap();
    assert_eq!(refs(&standard_only.items), ["standard"]);
    let named = PackFilter { created_by: None, refs: vec!["d".to_owned(), "x".to_owned()] };
    let named = store.packs(own(), &named, page(1, 9)).await.unwrap();
    assert_eq!((refs(&named.items), named.total), (vec!["d", "standard"], Some(2)));

    let first = store.packs(own(), &created_by_somebody(), page(1, 3)).await.unwrap();
    assert_eq!((refs(&first.items), first.has_next), (vec!["a", "b", "d"], true));
    assert_eq!(first.total, Some(4));
    let second = store.packs(own(), &created_by_somebody(), page(2, 3)).await.unwrap();
    assert_eq!((refs(&second.items), second.has_next), (vec!["standard"], false));
}

pub(crate) async fn a_permission_set_cannot_be_taken_over(database: &mut dyn Database) {
    let store = database.store();
    let mut core = pack_install("core", "core-1", &[]);
    core.permission_sets.push(permission_set("core.viewer", "packs"));
    store.install_pack(scope(TenantId::SHARED), core, at(0)).await.unwrap();
    let mut demo = pack_install("demo", "demo-1", &[]);
    demo.permission_sets.push(permission_set("demo.users", "packs"));
    store.install_pack(own(), demo, at(0)).await.unwrap();

    for taken in ["core.viewer", "demo.users"] {
        let mut evil = pack_install("evil", "evil-1", &[]);
        evil.permission_sets.push(permission_set(taken, "keys"));
        fails!(store.install_pack(own(), evil, at(0)).await, StoreError::Duplicate(_));
    }
}
