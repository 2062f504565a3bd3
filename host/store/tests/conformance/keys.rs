//! Keys: found until they expire, changed by version, listed as grants allow, of one tenant alone.

use attune_domain::access::{
    Constraints, Grant, KeysSeen, Principal, Resource, Verb, decide, keys_seen,
};
use attune_domain::audit::{AuditCategory, AuditFilter, AuditOutcome, NewAuditEvent};
use attune_domain::id::{ActionId, IdentityId, PackId};
use attune_domain::identity::TokenKind;
use attune_domain::key::{Key, KeyChange, KeyCreated, KeyFilter, NewKey};
use attune_domain::owner::{Owner, OwnerType};
use attune_domain::store::{Store, StoreError, StoreResult};
use attune_domain::vault::Sealed;
use bytes::Bytes;
use serde_json::json;

use crate::identities::create;
use crate::support::{ALL, Database, EMBEDDED, OTHER, at, demo_action, fails, own, page, scope};

pub(crate) fn audit(event_type: &str) -> NewAuditEvent {
    NewAuditEvent {
        category: AuditCategory::Secret,
        event_type: event_type.to_owned(),
        outcome: AuditOutcome::Success,
        actor_identity: None,
        resource_type: "key".to_owned(),
        resource_id: None,
        resource_ref: None,
        details: json!({}),
    }
}

/// A value under the tenant's current data key, which is made if need be.
pub(crate) async fn sealed(store: &dyn Store, text: &str) -> Sealed {
    let wrapped = Bytes::from_static(b"wrapped");
    let data_key = match store.current_data_key(own()).await.unwrap() {
        Some(current) => current,
        None => store.add_data_key(own(), wrapped, "master", None, at(0)).await.unwrap(),
    };
    Sealed { data_key: data_key.id, bytes: Bytes::from(text.to_owned()) }
}

pub(crate) async fn new_key(store: &dyn Store, reference: &str) -> NewKey {
    NewKey {
        reference: reference.to_owned(),
        name: reference.to_uppercase(),
        owner: Owner::System,
        encrypted: true,
        expires_at: None,
        value: sealed(store, "sealed").await,
    }
}

async fn try_add(store: &dyn Store, new: NewKey, second: i64) -> StoreResult<KeyCreated> {
    store.create_key(own(), new, audit("key.create"), at(second)).await
}

pub(crate) async fn add(store: &dyn Store, new: NewKey) -> Key {
    match try_add(store, new, 0).await.unwrap() {
        KeyCreated::New(key) => key,
        KeyCreated::TooMany => panic!("too many"),
    }
}

fn everything() -> KeyFilter {
    let all = KeysSeen {
        reader: IdentityId(0),
        within: Some(Constraints { owner: "any".parse().ok(), ..Constraints::default() }),
    };
    KeyFilter { seen: vec![all], ..KeyFilter::default() }
}

async fn refs(store: &dyn Store, filter: &KeyFilter, second: i64) -> Vec<String> {
    let listing = store.keys(own(), filter, ALL, at(second)).await.unwrap();
    listing.items.into_iter().map(|key| key.reference).collect()
}

pub(crate) async fn a_key_reads_back(database: &mut dyn Database) {
    let store = database.store();
    let action = demo_action(&*store, EMBEDDED).await;
    let owner = Owner::Action {
        id: action.id,
        reference: action.reference.clone(),
        pack_ref: action.pack_ref.clone(),
    };
    let new =
        NewKey { owner: owner.clone(), expires_at: Some(at(9)), ..new_key(&*store, "token").await };
    let made = add(&*store, new.clone()).await;
    database.reopen().await;
    let store = database.store();
    let read = store.key(own(), "token", at(1)).await.unwrap().unwrap();
    assert_eq!((read.key.id, read.key.version, read.key.owner), (made.id, 1, owner));
    assert_eq!((read.key.name.as_str(), read.key.encrypted), ("TOKEN", true));
    assert_eq!((read.key.expires_at, read.key.created), (Some(at(9)), at(0)));
    assert_eq!(read.value, new.value);
    assert!(store.key(own(), "another", at(1)).await.unwrap().is_none());
    let kinds = [(OwnerType::Action, action.id.0), (OwnerType::Pack, action.pack.0)];
    for ((kind, id), reference) in kinds.into_iter().zip([&action.reference, &action.pack_ref]) {
        assert_eq!(store.owner_ref(own(), kind, id).await.unwrap().as_ref(), Some(reference));
        assert!(store.owner_ref(own(), kind, 999).await.unwrap().is_none());
    }
}

pub(crate) async fn a_ref_is_free_when_its_key_has_expired(database: &mut dyn Database) {
    let store = database.store();
    let new = NewKey { expires_at: Some(at(5)), ..new_key(&*store, "short").await };
    let first = add(&*store, new.clone()).await;
    fails!(try_add(&*store, new.clone(), 4).await, StoreError::Duplicate(_));
    assert!(store.key(own(), "short", at(4)).await.unwrap().is_some());
    assert!(store.key(own(), "short", at(5)).await.unwrap().is_none());
    assert_eq!(refs(&*store, &everything(), 4).await, ["short"]);
    assert!(refs(&*store, &everything(), 5).await.is_empty());
    let change = KeyChange { name: Some("late".to_owned()), ..KeyChange::default() };
    let late = store.update_key(own(), &first, change, audit("key.update"), at(5)).await;
    fails!(late, StoreError::Conflict);

    let again = NewKey { expires_at: None, ..new };
    let KeyCreated::New(second) = try_add(&*store, again, 5).await.unwrap() else { panic!() };
    assert_ne!(second.id, first.id);
    assert!(store.next_key_expiry().await.unwrap().is_none());
}

pub(crate) async fn expired_keys_are_swept(database: &mut dyn Database) {
    let store = database.store();
    for (reference, expires) in [("a", Some(3)), ("b", Some(2)), ("c", None), ("d", Some(9))] {
        let new = new_key(&*store, reference).await;
        add(&*store, NewKey { expires_at: expires.map(at), ..new }).await;
    }
    assert_eq!(store.next_key_expiry().await.unwrap(), Some(at(2)));
    assert_eq!(store.sweep_keys(at(1), 10).await.unwrap(), 0);
    assert_eq!(store.sweep_keys(at(3), 1).await.unwrap(), 1);
    assert_eq!(store.next_key_expiry().await.unwrap(), Some(at(3)));
    assert_eq!(store.sweep_keys(at(3), 10).await.unwrap(), 1);
    assert_eq!(refs(&*store, &everything(), 0).await, ["c", "d"]);
}

pub(crate) async fn a_change_of_an_old_version_is_refused(database: &mut dyn Database) {
    let store = database.store();
    let key = add(&*store, new_key(&*store, "token").await).await;
    let change = KeyChange {
        name: Some("new name".to_owned()),
        encrypted: Some(false),
        expires_at: Some(Some(at(99))),
        value: Some(sealed(&*store, "new value").await),
    };
    let event = || audit("key.update");
    let changed = store.update_key(own(), &key, change.clone(), event(), at(3)).await.unwrap();
    assert_eq!((changed.version, changed.updated), (2, at(3)));
    let read = store.key(own(), "token", at(3)).await.unwrap().unwrap();
    assert_eq!((read.key.name.as_str(), read.key.version), ("new name", 2));
    assert_eq!((read.key.encrypted, read.key.expires_at), (false, Some(at(99))));
    assert_eq!(read.value.bytes, "new value");
    fails!(store.update_key(own(), &key, change, event(), at(4)).await, StoreError::Conflict);
    let nothing = KeyChange { expires_at: Some(None), ..KeyChange::default() };
    store.update_key(own(), &changed, nothing, event(), at(5)).await.unwrap();
    let read = store.key(own(), "token", at(200)).await.unwrap().unwrap();
    assert_eq!((read.key.version, read.value.bytes.as_ref()), (3, &b"new value"[..]));
    // A refused change left nothing in the audit.
    let filter = AuditFilter { resource_type: Some("key".to_owned()), ..AuditFilter::default() };
    let told = store.audit_events(own(), &filter, ALL).await.unwrap().items;
    let types: Vec<_> = told.iter().map(|told| told.event.event_type.as_str()).collect();
    assert_eq!(types, ["key.update", "key.update", "key.create"]);
    assert!(told.iter().all(|told| told.event.resource_id == Some(key.id.0)));
}

pub(crate) async fn a_deleted_key_is_gone(database: &mut dyn Database) {
    let store = database.store();
    let key = add(&*store, new_key(&*store, "token").await).await;
    assert!(store.delete_key(own(), &key, audit("key.delete"), at(1)).await.unwrap());
    assert!(!store.delete_key(own(), &key, audit("key.delete"), at(1)).await.unwrap());
    assert!(store.key(own(), "token", at(1)).await.unwrap().is_none());
    let again = add(&*store, new_key(&*store, "token").await).await;
    assert_ne!(again.id, key.id);
}

/// One key of each kind of owner.
async fn of_all_owners(store: &dyn Store) -> (IdentityId, Vec<Key>) {
    let action = demo_action(store, EMBEDDED).await;
    let (ada, eve) =
        (create(store, EMBEDDED, "ada").await.id, create(store, EMBEDDED, "eve").await.id);
    let pack = Owner::Pack { id: action.pack, reference: "demo".to_owned() };
    let acted =
        Owner::Action { id: action.id, reference: action.reference, pack_ref: action.pack_ref };
    let owners = [
        ("action", acted),
        ("adas", Owner::Identity(ada)),
        ("eves", Owner::Identity(eve)),
        ("pack", pack),
        ("system", Owner::System),
    ];
    let mut keys = Vec::new();
    for (reference, owner) in owners {
        let encrypted = reference != "pack";
        let new = NewKey { owner, encrypted, ..new_key(store, reference).await };
        keys.push(add(store, new).await);
    }
    (ada, keys)
}

pub(crate) async fn lists_show_what_grants_allow(database: &mut dyn Database) {
    let store = database.store();
    let (ada, keys) = of_all_owners(&*store).await;
    let identity = store.identity(ada).await.unwrap().unwrap();
    let own_id = ada.to_string();
    for constraints in [
        json!(null),
        json!({}),
        json!({"owner": "self"}),
        json!({"owner": "none"}),
        json!({"owner": "any"}),
        json!({"owner": "none", "encrypted": true}),
        json!({"encrypted": false}),
        json!({"owner_types": ["identity", "pack"]}),
        json!({"owner_types": []}),
        json!({"owner_types": ["system"], "refs": ["system", "eves"]}),
        json!({"refs": ["eves", "o'neil"]}),
        json!({"pack_refs": ["demo"]}),
        json!({"pack_refs": ["other"]}),
        json!({"owner_refs": ["demo.hello", own_id]}),
    ] {
        let mut grant = json!({"resource": "keys", "actions": ["read"]});
        if !constraints.is_null() {
            grant["constraints"] = constraints.clone();
        }
        let grants = Grant::read_all(&json!([grant]));
        let reader = Principal::authenticated(&identity, TokenKind::Access, grants);
        let filter = KeyFilter { seen: keys_seen(&reader), ..KeyFilter::default() };
        let decided = keys
            .iter()
            .filter(|key| decide(&reader, Resource::Keys, Verb::Read, key.target()).is_ok());
        let decided: Vec<_> = decided.map(|key| key.reference.clone()).collect();
        assert_eq!(refs(&*store, &filter, 1).await, decided, "{constraints}");
    }
    assert!(refs(&*store, &KeyFilter::default(), 1).await.is_empty(), "no grant shows nothing");
}

pub(crate) async fn lists_are_narrowed_and_come_in_pages(database: &mut dyn Database) {
    let store = database.store();
    let (ada, _) = of_all_owners(&*store).await;
    let narrowed = KeyFilter { owner_type: Some(OwnerType::Identity), ..everything() };
    assert_eq!(refs(&*store, &narrowed, 1).await, ["adas", "eves"]);
    let narrowed = KeyFilter { owner: Some(ada.to_string()), ..narrowed };
    assert_eq!(refs(&*store, &narrowed, 1).await, ["adas"]);
    let listing = store.keys(own(), &everything(), page(2, 2), at(1)).await.unwrap();
    let found: Vec<_> = listing.items.iter().map(|key| key.reference.as_str()).collect();
    assert_eq!((found, listing.total, listing.has_next), (vec!["eves", "pack"], Some(5), true));
}

pub(crate) async fn a_key_goes_with_its_owner(database: &mut dyn Database) {
    let store = database.store();
    let (_, keys) = of_all_owners(&*store).await;
    assert!(store.delete_action(own(), "demo.hello").await.unwrap());
    assert_eq!(refs(&*store, &everything(), 1).await, ["adas", "eves", "pack", "system"]);
    assert!(store.delete_pack(own(), "demo").await.unwrap());
    assert_eq!(refs(&*store, &everything(), 1).await, ["adas", "eves", "system"]);
    let orphan = NewKey { owner: keys[3].owner.clone(), ..new_key(&*store, "late").await };
    fails!(try_add(&*store, orphan, 1).await, StoreError::Conflict);
}

pub(crate) async fn an_action_sees_its_own_and_the_systems(database: &mut dyn Database) {
    let store = database.store();
    let (_, keys) = of_all_owners(&*store).await;
    let Owner::Action { id: action, .. } = keys[0].owner.clone() else { panic!() };
    let Owner::Pack { id: pack, .. } = keys[3].owner.clone() else { panic!() };
    let expired = NewKey { expires_at: Some(at(1)), ..new_key(&*store, "expired").await };
    add(&*store, expired).await;
    let found = async |pack, action| {
        let found = store.keys_for_action(own(), pack, action, at(1)).await.unwrap();
        found.into_iter().map(|stored| stored.key.reference).collect::<Vec<_>>()
    };
    assert_eq!(found(pack, action).await, ["system", "pack", "action"]);
    assert_eq!(found(pack, ActionId(999)).await, ["system", "pack"]);
    assert_eq!(found(PackId(999), ActionId(999)).await, ["system"]);
}

pub(crate) async fn keys_of_others_are_out_of_reach(database: &mut dyn Database) {
    database.add_tenant(OTHER, "other").await;
    let store = database.store();
    let key = add(&*store, new_key(&*store, "token").await).await;
    let (other, change) = (scope(OTHER), KeyChange::default());
    assert!(store.key(other, "token", at(1)).await.unwrap().is_none());
    assert!(store.keys(other, &everything(), ALL, at(1)).await.unwrap().items.is_empty());
    let changed = store.update_key(other, &key, change, audit("key.update"), at(1)).await;
    fails!(changed, StoreError::Conflict);
    assert!(!store.delete_key(other, &key, audit("key.delete"), at(1)).await.unwrap());
    let none = store.keys_for_action(other, PackId(1), ActionId(1), at(1)).await.unwrap();
    assert!(none.is_empty());
    let value = sealed(&*store, "stolen").await;
    assert!(store.current_data_key(other).await.unwrap().is_none());
    assert!(store.data_key(other, value.data_key).await.unwrap().is_none());
    let stored = store.key(own(), "token", at(1)).await.unwrap().unwrap();
    assert!(!store.reseal_key(other, &stored, value).await.unwrap());
    assert!(store.key(own(), "token", at(1)).await.unwrap().is_some());
}

pub(crate) async fn a_tenant_has_one_data_key_that_seals(database: &mut dyn Database) {
    let store = database.store();
    let make_one = |number: u8| {
        let store = store.clone();
        async move {
            let wrapped = Bytes::copy_from_slice(&[number]);
            store.add_data_key(own(), wrapped, "master", None, at(0)).await.unwrap().id
        }
    };
    let made = futures::future::join_all((0..8).map(make_one)).await;
    assert!(made.iter().all(|id| *id == made[0]), "{made:?}");
    let replace = |number: u8| {
        let (store, replaced) = (store.clone(), Some(made[0]));
        async move {
            let wrapped = Bytes::copy_from_slice(&[number]);
            store.add_data_key(own(), wrapped, "master", replaced, at(1)).await.unwrap().id
        }
    };
    let replaced = futures::future::join_all((10..18).map(replace)).await;
    assert!(replaced.iter().all(|id| *id == replaced[0] && *id != made[0]), "{replaced:?}");
    let all = store.data_keys().await.unwrap();
    let retired: Vec<_> = all.iter().map(|key| (key.id, key.retired)).collect();
    assert_eq!(retired, [(made[0], Some(at(1))), (replaced[0], None)]);
}

pub(crate) async fn values_are_sealed_anew(database: &mut dyn Database) {
    let store = database.store();
    for reference in ["a", "b"] {
        add(&*store, new_key(&*store, reference).await).await;
    }
    let old = store.current_data_key(own()).await.unwrap().unwrap();
    assert!(store.drop_retired_data_keys().await.unwrap().is_empty());
    let wrapped = Bytes::from_static(b"new");
    store.add_data_key(own(), wrapped, "master", Some(old.id), at(1)).await.unwrap();
    assert!(store.drop_retired_data_keys().await.unwrap().is_empty(), "it is needed");

    let first = store.sealed_with_retired(attune_domain::id::KeyId(0), 1).await.unwrap();
    let rest = store.sealed_with_retired(first[0].key.id, 9).await.unwrap();
    assert_eq!((first.len(), rest.len(), rest[0].key.reference.as_str()), (1, 1, "b"));
    let anew = sealed(&*store, "anew").await;
    assert!(store.reseal_key(own(), &first[0], anew.clone()).await.unwrap());
    assert!(!store.reseal_key(own(), &first[0], anew.clone()).await.unwrap());
    let read = store.key(own(), "a", at(1)).await.unwrap().unwrap();
    assert_eq!((read.key.version, read.key.updated, &read.value), (1, at(0), &anew));

    // A change in between wins.
    let change = KeyChange { value: Some(anew.clone()), ..KeyChange::default() };
    store.update_key(own(), &rest[0].key, change, audit("key.update"), at(2)).await.unwrap();
    assert!(!store.reseal_key(own(), &rest[0], anew).await.unwrap());
    assert_eq!(store.drop_retired_data_keys().await.unwrap(), [old.id]);
    let gone = NewKey {
        value: Sealed { data_key: old.id, bytes: Bytes::new() },
        ..new_key(&*store, "c").await
    };
    fails!(try_add(&*store, gone, 3).await, StoreError::Conflict);
}

pub(crate) async fn a_data_key_is_wrapped_anew_once(database: &mut dyn Database) {
    let store = database.store();
    sealed(&*store, "x").await;
    let read = store.current_data_key(own()).await.unwrap().unwrap();
    let wrapped = Bytes::from_static(b"anew");
    assert!(store.rewrap_data_key(&read, wrapped.clone(), "second").await.unwrap());
    assert!(!store.rewrap_data_key(&read, wrapped.clone(), "third").await.unwrap());
    let now = store.data_key(own(), read.id).await.unwrap().unwrap();
    assert_eq!((now.master.as_str(), now.wrapped), ("second", wrapped));
}
