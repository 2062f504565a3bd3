//! Tokens: issued, replaced, revoked, expired.

use attune_domain::id::IdentityId;
use attune_domain::identity::{IssuedToken, TokenKind};
use attune_domain::store::StoreError;

use crate::identities::create;
use crate::support::{Database, EMBEDDED, at, fails, own};

pub(crate) fn token(id: &str, identity: IdentityId) -> IssuedToken {
    IssuedToken {
        id: id.to_owned(),
        identity,
        kind: TokenKind::Refresh,
        issued_at: at(0),
        expires_at: at(100),
    }
}

pub(crate) async fn a_token_is_in_force_until_it_expires(database: &mut dyn Database) {
    let store = database.store();
    let ada = create(&*store, EMBEDDED, "ada").await.id;
    store.issue_tokens(vec![token("a", ada), token("b", ada)], None).await.unwrap();
    let read = store.token_in_force("a", at(99)).await.unwrap().unwrap();
    assert_eq!((read.id.as_str(), read.identity, read.kind), ("a", ada, TokenKind::Refresh));
    assert_eq!((read.issued_at, read.expires_at), (at(0), at(100)));
    assert!(store.token_in_force("a", at(100)).await.unwrap().is_none());
    assert!(store.token_in_force("never", at(1)).await.unwrap().is_none());
    fails!(store.issue_tokens(vec![token("a", ada)], None).await, StoreError::Duplicate(_));
    let nobody = token("c", IdentityId(999));
    fails!(store.issue_tokens(vec![nobody], None).await, StoreError::Conflict);
}

pub(crate) async fn a_replaced_token_is_worth_nothing(database: &mut dyn Database) {
    let store = database.store();
    let ada = create(&*store, EMBEDDED, "ada").await.id;
    store.issue_tokens(vec![token("a", ada)], None).await.unwrap();
    store.issue_tokens(vec![token("b", ada)], Some("a".to_owned())).await.unwrap();
    assert!(store.token_in_force("a", at(1)).await.unwrap().is_none());
    assert!(store.token_in_force("b", at(1)).await.unwrap().is_some());

    let again = store.issue_tokens(vec![token("c", ada)], Some("a".to_owned())).await;
    fails!(again, StoreError::Conflict);
    assert!(store.token_in_force("c", at(1)).await.unwrap().is_none());
    let late = IssuedToken { issued_at: at(100), expires_at: at(200), ..token("d", ada) };
    fails!(store.issue_tokens(vec![late], Some("b".to_owned())).await, StoreError::Conflict);
}

pub(crate) async fn a_new_password_revokes_all_tokens(database: &mut dyn Database) {
    let store = database.store();
    let ada = create(&*store, EMBEDDED, "ada").await.id;
    let bob = create(&*store, EMBEDDED, "bob").await.id;
    store.issue_tokens(vec![token("a", ada), token("b", bob)], None).await.unwrap();
    store.set_password(own(), ada, "new".to_owned(), at(1)).await.unwrap();
    assert!(store.token_in_force("a", at(1)).await.unwrap().is_none());
    assert!(store.token_in_force("b", at(1)).await.unwrap().is_some());
    let read = store.identity(ada).await.unwrap().unwrap();
    assert_eq!(read.password_hash.as_deref(), Some("new"));
}

pub(crate) async fn tokens_are_forgotten_a_day_after_they_expired(database: &mut dyn Database) {
    let day = 24 * 60 * 60;
    let store = database.store();
    let ada = create(&*store, EMBEDDED, "ada").await.id;
    let long = IssuedToken { expires_at: at(1000), ..token("b", ada) };
    store.issue_tokens(vec![token("a", ada), long], None).await.unwrap();
    let sooner = IssuedToken { issued_at: at(day), expires_at: at(day + 1), ..token("c", ada) };
    store.issue_tokens(vec![sooner], None).await.unwrap();
    assert!(store.token_in_force("a", at(99)).await.unwrap().is_some());
    let later = |id| {
        let (issued_at, expires_at) = (at(day + 100), at(day + 200));
        IssuedToken { issued_at, expires_at, ..token(id, ada) }
    };
    store.issue_tokens(vec![later("d")], None).await.unwrap();
    assert!(store.token_in_force("b", at(101)).await.unwrap().is_some());
    // An id is free again once its record is gone.
    store.issue_tokens(vec![later("a")], None).await.unwrap();
    fails!(store.issue_tokens(vec![later("b")], None).await, StoreError::Duplicate(_));
}
