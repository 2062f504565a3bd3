//! Databases to check, and short ways to make what checks need.

use std::collections::BTreeMap;
use std::sync::Arc;

use async_trait::async_trait;
use attune_domain::access::{PermissionSet, Scope, Tenant};
use attune_domain::action::{Action, NewAction, RunSpec};
use attune_domain::clock::Timestamp;
use attune_domain::execution::{Execution, NewExecution, State};
use attune_domain::id::{IdentityId, LeaseId, TenantId, WorkerId};
use attune_domain::pack::{NewPack, Pack, PackArchive, PackInstall};
use attune_domain::page::Page;
use attune_domain::store::{PackFilter, Store, Submitted};
use attune_domain::worker::{Acquired, Holder};
use serde_json::json;

/// A database that exists for one check.
#[async_trait]
pub(crate) trait Database: Send {
    fn store(&self) -> Arc<dyn Store>;

    /// Closes the database without ceremony and opens it again.
    async fn reopen(&mut self);

    /// Closes the store for good.
    async fn close(&mut self);

    /// Makes a tenant, which nothing in the product can do yet.
    async fn add_tenant(&mut self, id: TenantId, name: &str);
}

pub(crate) const EMBEDDED: TenantId = TenantId(1);
pub(crate) const OTHER: TenantId = TenantId(2);
pub(crate) const SOMEBODY: IdentityId = IdentityId(77);

pub(crate) fn scope(tenant: TenantId) -> Scope {
    Scope::of_tenant(&Tenant { id: tenant, name: String::new() })
}

/// The scope of the embedded tenant.
pub(crate) fn own() -> Scope {
    scope(EMBEDDED)
}

/// A time that is `second`s after the tests' beginning of time.
pub(crate) fn at(second: i64) -> Timestamp {
    Timestamp::from_timestamp_micros(1_700_000_000_000_000 + second * 1_000_000).unwrap()
}

pub(crate) fn page(number: u32, size: u32) -> Page {
    Page { number, size, count: true }
}

pub(crate) const ALL: Page = Page { number: 1, size: 1000, count: false };

pub(crate) fn created_by_somebody() -> PackFilter {
    PackFilter { created_by: Some(SOMEBODY), refs: Vec::new() }
}

pub(crate) fn new_pack(reference: &str) -> NewPack {
    NewPack {
        reference: reference.to_owned(),
        label: format!("Pack {reference}"),
        description: None,
        version: "1.0.0".to_owned(),
        conf_schema: json!({}),
        config: json!({"retries": 3}),
        meta: json!({}),
        tags: vec!["one".to_owned(), "two".to_owned()],
        runtime_deps: Vec::new(),
        dependencies: vec!["core".to_owned()],
        is_standard: false,
        created_by: Some(SOMEBODY),
    }
}

pub(crate) fn new_action(reference: &str) -> NewAction {
    NewAction {
        reference: reference.to_owned(),
        label: format!("Action {reference}"),
        description: Some("Does it 100% of the time".to_owned()),
        entrypoint: "hello.py".to_owned(),
        runtime_ref: Some("core.python".to_owned()),
        param_schema: Some(json!({"name": {"type": "string"}})),
        out_schema: None,
        is_adhoc: false,
        accesses_mcp: false,
        default_permission_sets: vec!["core.viewer".to_owned()],
        extra: json!({"worker_selector": {"gpu": "no"}}),
        run: RunSpec { timeout: Some(std::time::Duration::from_secs(5)), ..RunSpec::default() },
    }
}

pub(crate) fn permission_set(reference: &str, resource: &str) -> PermissionSet {
    PermissionSet {
        reference: reference.to_owned(),
        label: Some("A set".to_owned()),
        description: None,
        grants: json!([{"resource": resource, "actions": ["read"]}, "not a grant"]),
    }
}

/// A pack with these actions; the version's digest is `digest`.
pub(crate) fn pack_install(reference: &str, digest: &str, actions: &[&str]) -> PackInstall {
    PackInstall {
        pack: new_pack(reference),
        actions: actions.iter().map(|action| new_action(action)).collect(),
        permission_sets: Vec::new(),
        archive: PackArchive {
            digest: digest.to_owned(),
            bytes: format!("archive {digest}").into_bytes().into(),
        },
        force: false,
    }
}

pub(crate) async fn install(
    store: &dyn Store,
    tenant: TenantId,
    reference: &str,
    actions: &[&str],
) -> Pack {
    let install = pack_install(reference, &format!("{reference}-1"), actions);
    store.install_pack(scope(tenant), install, at(0)).await.unwrap()
}

/// Installs a pack `demo` with an action `demo.hello` for the tenant.
pub(crate) async fn demo_action(store: &dyn Store, tenant: TenantId) -> Action {
    install(store, tenant, "demo", &["demo.hello"]).await;
    store.action(scope(tenant), "demo.hello").await.unwrap().unwrap()
}

pub(crate) fn new_execution(action: &Action, now: Timestamp) -> NewExecution {
    let config = json!({"name": "world"});
    NewExecution {
        action: action.id,
        action_ref: action.reference.clone(),
        config: config.as_object().cloned(),
        redacted_config: json!({"name": "***"}).as_object().cloned(),
        env_vars: BTreeMap::from([("COLOUR".to_owned(), "blue".to_owned())]),
        permission_set_refs: Some(Vec::new()),
        extra: serde_json::Map::new(),
        executor: Some(SOMEBODY),
        state: State::requested(now),
        idempotency: None,
    }
}

/// Submits an execution of `action` at `second`.
pub(crate) async fn submit(store: &dyn Store, action: &Action, second: i64) -> Execution {
    submit_as(store, scope(action.tenant), new_execution(action, at(second)), second).await
}

pub(crate) async fn submit_as(
    store: &dyn Store,
    scope: Scope,
    new: NewExecution,
    second: i64,
) -> Execution {
    match store.submit(scope, new, at(second)).await.unwrap() {
        Submitted::New(execution) => execution,
        other => panic!("not created: {other:?}"),
    }
}

/// Somebody who holds executions, without being in the store.
pub(crate) fn holder(lease: i64) -> Holder {
    Holder { worker: WorkerId(lease), lease: LeaseId(lease) }
}

/// A worker of this name that is in the store, with a lease.
pub(crate) async fn lease(store: &dyn Store, name: &str) -> Holder {
    match store.acquire_lease(name, &format!("home of {name}"), at(0)).await.unwrap() {
        Acquired::Granted(holder) => holder,
        taken @ Acquired::Taken(_) => panic!("{taken:?}"),
    }
}

/// Asserts on the kind of a store error: `fails!(call, Conflict)`.
macro_rules! fails {
    ($result:expr, $kind:pat) => {
        match $result {
            Err($kind) => {}
            other => panic!("expected {}, got {other:?}", stringify!($kind)),
        }
    };
}
pub(crate) use fails;
