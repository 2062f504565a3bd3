//! Keys that have expired leave the database.

use std::time::Duration;

use attune_domain::audit::{AuditCategory, AuditOutcome, NewAuditEvent};
use attune_domain::clock::Clock;
use attune_domain::key::NewKey;
use attune_domain::owner::Owner;
use attune_domain::vault::Sealed;
use bytes::Bytes;
use serde_json::json;

use crate::world::World;

async fn add_key(world: &World, reference: &str, ttl: Duration) {
    let (scope, now) = (world.scope(), world.clock.now());
    let wrapped = Bytes::from_static(b"wrapped");
    let data_key = world.store.add_data_key(scope, wrapped, "master", None, now).await.unwrap();
    let new = NewKey {
        reference: reference.to_owned(),
        name: reference.to_owned(),
        owner: Owner::System,
        encrypted: false,
        expires_at: Some(now + ttl),
        value: Sealed { data_key: data_key.id, bytes: Bytes::from_static(b"sealed") },
    };
    let audit = NewAuditEvent {
        category: AuditCategory::Secret,
        event_type: "key.create".to_owned(),
        outcome: AuditOutcome::Success,
        actor_identity: None,
        resource_type: "key".to_owned(),
        resource_id: None,
        resource_ref: None,
        details: json!({}),
    };
    world.store.create_key(scope, new, audit, now).await.unwrap();
}

/// Whether no key with an expiry is left but `left` of them, at some time soon.
async fn swept(world: &World, next_in: Option<Duration>) {
    let expected = next_in.map(|wait| world.clock.now() + wait);
    for _ in 0..1000 {
        if world.store.next_key_expiry().await.unwrap() == expected {
            return;
        }
        // Wakes the sweep, if it has not gone to sleep before the last advance.
        world.clock.advance(Duration::ZERO);
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    panic!("expired keys are still there");
}

#[tokio::test]
async fn expired_keys_are_deleted_and_others_stay() {
    let world = World::new(1).await;
    add_key(&world, "short", Duration::from_secs(30)).await;
    add_key(&world, "long", Duration::from_mins(10)).await;
    world.clock.advance(Duration::from_secs(61));
    swept(&world, Some(Duration::from_secs(539))).await;
    world.clock.advance(Duration::from_mins(9));
    // What was stored after the last look waits for the next one at most.
    world.clock.advance(Duration::from_secs(61));
    swept(&world, None).await;
}
