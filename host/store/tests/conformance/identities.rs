//! Identities and what they may do.

use attune_domain::access::{Grant, Resource};
use attune_domain::id::TenantId;
use attune_domain::identity::{Identity, NewIdentity};
use attune_domain::store::{Store, StoreError};

use crate::support::{
    Database, EMBEDDED, OTHER, at, fails, own, pack_install, permission_set, scope,
};

pub(crate) fn new_identity(tenant: TenantId, login: &str) -> NewIdentity {
    NewIdentity {
        tenant,
        login: login.to_owned(),
        display_name: Some("Somebody".to_owned()),
        password_hash: Some("$argon2id$".to_owned()),
        permission_sets: Vec::new(),
    }
}

pub(crate) async fn create(store: &dyn Store, tenant: TenantId, login: &str) -> Identity {
    store.create_identity(new_identity(tenant, login), at(0)).await.unwrap()
}

pub(crate) async fn an_identity_reads_back(database: &mut dyn Database) {
    let store = database.store();
    assert!(!store.has_identities().await.unwrap());
    let made = create(&*store, EMBEDDED, "ada").await;
    assert!(store.has_identities().await.unwrap());
    for read in [
        store.identity(made.id).await.unwrap().unwrap(),
        store.identity_by_login("ada").await.unwrap().unwrap(),
    ] {
        assert_eq!((read.id, read.tenant, read.login.as_str()), (made.id, EMBEDDED, "ada"));
        assert_eq!(read.password_hash.as_deref(), Some("$argon2id$"));
        assert_eq!((read.frozen, read.created), (false, at(0)));
        assert_eq!(read.attributes, serde_json::json!({}));
    }
    assert!(store.identity_by_login("ADA").await.unwrap().is_none());
}

pub(crate) async fn a_login_is_unique_over_all_tenants(database: &mut dyn Database) {
    database.add_tenant(OTHER, "other").await;
    let store = database.store();
    create(&*store, EMBEDDED, "ada").await;
    match store.create_identity(new_identity(OTHER, "ada"), at(1)).await {
        Err(StoreError::Duplicate(text)) => assert_eq!(text, "login 'ada' already exists"),
        other => panic!("{other:?}"),
    }
    fails!(
        store.create_identity(new_identity(TenantId(99), "eve"), at(1)).await,
        StoreError::Conflict
    );
}

pub(crate) async fn a_display_name_can_be_cleared(database: &mut dyn Database) {
    let store = database.store();
    let made = create(&*store, EMBEDDED, "ada").await;
    store.set_display_name(own(), made.id, None, at(5)).await.unwrap();
    let read = store.identity(made.id).await.unwrap().unwrap();
    assert_eq!((read.display_name, read.updated), (None, at(5)));
}

pub(crate) async fn the_built_in_tenants_are_there(database: &mut dyn Database) {
    let store = database.store();
    assert_eq!(store.embedded_tenant().await.unwrap().id, EMBEDDED);
    assert_eq!(store.shared_tenant().await.unwrap().id, TenantId::SHARED);
    store.ping().await.unwrap();
}

pub(crate) async fn grants_come_with_the_pack_that_brings_the_set(database: &mut dyn Database) {
    let store = database.store();
    let sets = ["core.viewer".to_owned(), "core.admin".to_owned()];
    let new = NewIdentity { permission_sets: sets.to_vec(), ..new_identity(EMBEDDED, "ada") };
    let ada = store.create_identity(new, at(0)).await.unwrap().id;
    assert_eq!(store.assigned_permission_sets(ada).await.unwrap(), ["core.admin", "core.viewer"]);
    assert_eq!(store.effective_grants(ada).await.unwrap(), []);

    let mut core = pack_install("core", "core-1", &[]);
    core.permission_sets.push(permission_set("core.admin", "packs"));
    store.install_pack(scope(TenantId::SHARED), core, at(0)).await.unwrap();
    let grants: Vec<Grant> = store.effective_grants(ada).await.unwrap();
    assert_eq!(grants.iter().map(|grant| grant.resource).collect::<Vec<_>>(), [Resource::Packs]);
    let seen = store.permission_sets(own()).await.unwrap();
    assert_eq!(seen.iter().map(|set| set.reference.as_str()).collect::<Vec<_>>(), ["core.admin"]);

    store.delete_pack(scope(TenantId::SHARED), "core").await.unwrap();
    assert_eq!(store.effective_grants(ada).await.unwrap(), []);
    assert_eq!(store.assigned_permission_sets(ada).await.unwrap(), ["core.viewer"]);
}
