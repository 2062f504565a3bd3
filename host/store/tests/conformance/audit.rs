//! The audit: newest first, narrowed by what is asked, of one tenant alone.

use attune_domain::audit::{AuditCategory, AuditFilter, AuditOutcome, NewAuditEvent};
use attune_domain::id::AuditEventId;
use attune_domain::store::Store;
use serde_json::json;

use crate::identities::create;
use crate::support::{ALL, Database, EMBEDDED, OTHER, at, own, scope};

fn denied(number: i64) -> NewAuditEvent {
    NewAuditEvent {
        category: AuditCategory::Execution,
        event_type: "egress.denied".to_owned(),
        outcome: AuditOutcome::Denied,
        actor_identity: None,
        resource_type: "execution".to_owned(),
        resource_id: Some(number),
        resource_ref: Some("demo.a".to_owned()),
        details: json!({"host": "a.test"}),
    }
}

async fn found(store: &dyn Store, filter: AuditFilter) -> Vec<Option<i64>> {
    let listing = store.audit_events(own(), &filter, ALL).await.unwrap();
    listing.items.into_iter().map(|item| item.event.resource_id).collect()
}

pub(crate) async fn an_event_reads_back(database: &mut dyn Database) {
    let store = database.store();
    let ada = create(&*store, EMBEDDED, "ada").await.id;
    let event = NewAuditEvent { actor_identity: Some(ada), ..denied(7) };
    store.record_audit_event(own(), event, at(3)).await.unwrap();
    let listed = store.audit_events(own(), &AuditFilter::default(), ALL).await.unwrap();
    let read = store.audit_event(own(), listed.items[0].id).await.unwrap().unwrap();
    assert_eq!((read.created, read.actor_login.as_deref()), (at(3), Some("ada")));
    assert_eq!(
        (read.event.category, read.event.outcome),
        (AuditCategory::Execution, AuditOutcome::Denied)
    );
    assert_eq!((read.event.resource_id, read.event.details), (Some(7), json!({"host": "a.test"})));
    assert!(store.audit_event(own(), AuditEventId(999)).await.unwrap().is_none());
}

pub(crate) async fn events_are_filtered_and_the_newest_come_first(database: &mut dyn Database) {
    let store = database.store();
    for number in 1..=3 {
        store.record_audit_event(own(), denied(number), at(number)).await.unwrap();
    }
    let other = NewAuditEvent { outcome: AuditOutcome::Success, ..denied(4) };
    store.record_audit_event(own(), other, at(4)).await.unwrap();
    let all = AuditFilter::default();
    assert_eq!(found(&*store, all.clone()).await, [Some(4), Some(3), Some(2), Some(1)]);
    let filter = AuditFilter { outcome: Some(AuditOutcome::Denied), ..all.clone() };
    assert_eq!(found(&*store, filter).await, [Some(3), Some(2), Some(1)]);
    let filter = AuditFilter { resource_id: Some(2), ..all.clone() };
    assert_eq!(found(&*store, filter).await, [Some(2)]);
    let filter = AuditFilter { created_after: Some(at(1)), created_before: Some(at(3)), ..all };
    assert_eq!(found(&*store, filter).await, [Some(2)]);
}

pub(crate) async fn events_of_others_are_out_of_reach(database: &mut dyn Database) {
    database.add_tenant(OTHER, "other").await;
    let store = database.store();
    store.record_audit_event(own(), denied(1), at(1)).await.unwrap();
    let id = store.audit_events(own(), &AuditFilter::default(), ALL).await.unwrap().items[0].id;
    let theirs = store.audit_events(scope(OTHER), &AuditFilter::default(), ALL).await.unwrap();
    assert!(theirs.items.is_empty());
    assert!(store.audit_event(scope(OTHER), id).await.unwrap().is_none());
}
