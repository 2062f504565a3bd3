//! Tenants: what one has, another neither sees nor changes, whatever ref or id it names.

use attune_domain::action::ActionChange;
use attune_domain::execution::{ExecutionFilter, ExecutionStats, Idempotency, NewExecution};
use attune_domain::id::TenantId;
use attune_domain::pack::{PackChange, PackInstall};
use attune_domain::runner::Stream;
use attune_domain::store::{ActionFilter, PackFilter, StoreError};

use crate::executions::running;
use crate::identities::create;
use crate::logs::chunk;
use crate::support::{
    ALL, Database, EMBEDDED, OTHER, SOMEBODY, at, created_by_somebody, demo_action, fails, install,
    new_action, new_execution, new_pack, own, pack_install, permission_set, scope, submit,
    submit_as,
};
use crate::tokens::token;

pub(crate) async fn packs_of_others_are_invisible(database: &mut dyn Database) {
    database.add_tenant(OTHER, "other").await;
    let store = database.store();
    let mut demo = pack_install("demo", "demo-1", &["demo.a"]);
    demo.permission_sets.push(permission_set("demo.users", "packs"));
    store.install_pack(own(), demo, at(0)).await.unwrap();

    let other = scope(OTHER);
    assert!(store.pack(other, "demo").await.unwrap().is_none());
    let filter = PackFilter { created_by: Some(SOMEBODY), refs: vec!["demo".to_owned()] };
    assert!(store.packs(other, &filter, ALL).await.unwrap().items.is_empty());
    assert!(store.permission_sets(other).await.unwrap().is_empty());
    assert!(store.pack_archive(OTHER, "demo-1").await.unwrap().is_none());
    let filter = ActionFilter { visible_packs: filter, ..Default::default() };
    assert!(store.actions(other, &filter, ALL).await.unwrap().items.is_empty());

    // The other tenant may use the same refs for packs of its own.
    install(&*store, OTHER, "demo", &["demo.a"]).await;
    let theirs = store.action(other, "demo.a").await.unwrap().unwrap();
    assert_eq!(theirs.tenant, OTHER);
}

pub(crate) async fn packs_of_others_stay_as_they_are(database: &mut dyn Database) {
    database.add_tenant(OTHER, "other").await;
    let store = database.store();
    let pack = install(&*store, EMBEDDED, "demo", &["demo.a"]).await;
    let other = scope(OTHER);
    let change = PackChange { label: Some("Taken".to_owned()), ..Default::default() };
    assert!(store.update_pack(other, "demo", change, at(1)).await.unwrap().is_none());
    assert!(!store.delete_pack(other, "demo").await.unwrap());
    let forced = PackInstall { force: true, ..pack_install("demo", "theirs", &["demo.a"]) };
    let theirs = store.install_pack(other, forced, at(1)).await.unwrap();
    assert_ne!(theirs.id, pack.id);
    assert!(store.delete_pack(other, "demo").await.unwrap());
    let mine = store.pack(own(), "demo").await.unwrap().unwrap();
    assert_eq!((mine.id, mine.label, mine.digest), (pack.id, pack.label, pack.digest));
    assert!(store.action(own(), "demo.a").await.unwrap().is_some());
}

pub(crate) async fn actions_of_others_are_out_of_reach(database: &mut dyn Database) {
    database.add_tenant(OTHER, "other").await;
    let store = database.store();
    let pack = install(&*store, EMBEDDED, "demo", &["demo.a"]).await;
    let other = scope(OTHER);
    assert!(store.action(other, "demo.a").await.unwrap().is_none());
    assert!(store.runnable_action(other, "demo.a").await.unwrap().is_none());
    let change = ActionChange { label: Some("Taken".to_owned()), ..Default::default() };
    assert!(store.update_action(other, "demo.a", change, at(1)).await.unwrap().is_none());
    assert!(!store.delete_action(other, "demo.a").await.unwrap());
    let planted = store.create_action(other, &pack, new_action("demo.planted"), at(1)).await;
    fails!(planted, StoreError::Conflict);
    let mine = store.action(own(), "demo.a").await.unwrap().unwrap();
    assert_eq!(mine.label, "Action demo.a");
}

pub(crate) async fn executions_of_others_are_out_of_reach(database: &mut dyn Database) {
    database.add_tenant(OTHER, "other").await;
    let store = database.store();
    let action = demo_action(&*store, EMBEDDED).await;
    let idempotency = Idempotency { key: "k".to_owned(), request_digest: "x".to_owned() };
    let keyed =
        || NewExecution { idempotency: Some(idempotency.clone()), ..new_execution(&action, at(0)) };
    let mine = submit_as(&*store, own(), keyed(), 0).await;
    let log = vec![chunk(Stream::Stdout, 0, "secret")];
    store.append_log(own(), mine.id, None, log).await.unwrap();

    let other = scope(OTHER);
    assert!(store.execution(other, mine.id).await.unwrap().is_none());
    let all = ExecutionFilter::default();
    assert!(store.executions(other, &all, ALL).await.unwrap().items.is_empty());
    assert_eq!(store.execution_stats(other).await.unwrap(), ExecutionStats::default());
    let read = store.read_log(other, mine.id, Stream::Stdout, 0, 100).await.unwrap();
    assert!(read.is_empty());
    let mut state = running(&mine);
    state.version = 1;
    let written = store.write_state(other, mine.id, &state, Vec::new(), None).await;
    fails!(written, StoreError::Conflict);
    let log = vec![chunk(Stream::Stdout, 6, " planted")];
    fails!(store.append_log(other, mine.id, None, log).await, StoreError::Conflict);
    let theirs = submit_as(&*store, other, keyed(), 0).await;
    assert_ne!(theirs.id, mine.id);
    assert_eq!(store.execution(own(), mine.id).await.unwrap().unwrap(), mine);
    let read = store.read_log(own(), mine.id, Stream::Stdout, 0, 100).await.unwrap();
    assert_eq!(read, "secret");
}

pub(crate) async fn identities_of_others_stay_as_they_are(database: &mut dyn Database) {
    database.add_tenant(OTHER, "other").await;
    let store = database.store();
    let ada = create(&*store, EMBEDDED, "ada").await;
    store.issue_tokens(vec![token("a", ada.id)], None).await.unwrap();
    let other = scope(OTHER);
    store.set_display_name(other, ada.id, Some("Eve".to_owned()), at(1)).await.unwrap();
    store.set_password(other, ada.id, "stolen".to_owned(), at(1)).await.unwrap();
    let read = store.identity(ada.id).await.unwrap().unwrap();
    assert_eq!((read.display_name, read.password_hash), (ada.display_name, ada.password_hash));
    assert!(store.token_in_force("a", at(1)).await.unwrap().is_some());
}

pub(crate) async fn shared_things_are_seen_and_not_written(database: &mut dyn Database) {
    let store = database.store();
    let shared = scope(TenantId::SHARED);
    let pack = store.create_pack(shared, new_pack("core"), at(0)).await.unwrap();
    store.create_action(shared, &pack, new_action("core.echo"), at(0)).await.unwrap();
    let echo = store.runnable_action(own(), "core.echo").await.unwrap().unwrap();
    assert_eq!(echo.action.tenant, TenantId::SHARED);
    let seen = store.packs(own(), &created_by_somebody(), ALL).await.unwrap();
    assert_eq!(seen.items.len(), 1);

    assert!(!store.delete_pack(own(), "core").await.unwrap());
    assert!(!store.delete_action(own(), "core.echo").await.unwrap());
    let none = store.update_pack(own(), "core", PackChange::default(), at(1)).await.unwrap();
    assert!(none.is_none());
    let none = store.update_action(own(), "core.echo", ActionChange::default(), at(1)).await;
    assert!(none.unwrap().is_none());
    let planted = store.create_action(own(), &pack, new_action("core.planted"), at(1)).await;
    fails!(planted, StoreError::Conflict);

    let made = submit_as(&*store, own(), new_execution(&echo.action, at(0)), 0).await;
    assert_eq!(made.tenant, EMBEDDED);
    let shared_run = submit(&*store, &echo.action, 0).await;
    assert!(store.execution(own(), shared_run.id).await.unwrap().is_none());
}
