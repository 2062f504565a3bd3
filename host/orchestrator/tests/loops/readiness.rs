//! What keeps a server from its work.

use attune_domain::clock::Clock;
use attune_domain::id::LeaseId;
use attune_domain::worker::Acquired;
use attune_orchestrator::Hindrance;

use crate::world::{World, soon};

#[tokio::test]
async fn a_server_that_stops_is_not_ready() {
    let world = World::new(1).await;
    assert!(world.orchestrator.hindrances().is_empty());
    world.orchestrator.drain().await;
    assert_eq!(world.orchestrator.hindrances(), [Hindrance::Stopping]);
}

#[tokio::test]
async fn a_server_whose_lease_another_has_is_not_ready() {
    let world = World::new(1).await;
    soon(first_beat(&world)).await;
    let theirs = take_lease(&world).await;
    world.as_time_passes(until(&world, &[Hindrance::NoLease])).await;
    world.store.end_lease(theirs, world.clock.now()).await.unwrap();
    world.as_time_passes(until(&world, &[])).await;
}

/// Before it the server may take its lease back at any moment, after it only as time passes.
async fn first_beat(world: &World) {
    while world.store.workers().await.unwrap()[0].capacity.places == 0 {
        tokio::task::yield_now().await;
    }
}

/// Takes the lease of the server's worker for somebody else.
async fn take_lease(world: &World) -> LeaseId {
    let ours = world.store.pulses().await.unwrap().remove(0);
    let now = world.clock.now();
    world.store.end_lease(ours.holder.lease, now).await.unwrap();
    match world.store.acquire_lease(&ours.name, "elsewhere", now).await.unwrap() {
        Acquired::Granted(theirs) => theirs.lease,
        taken @ Acquired::Taken(_) => panic!("{taken:?}"),
    }
}

async fn until(world: &World, hindrances: &[Hindrance]) {
    while world.orchestrator.hindrances() != hindrances {
        tokio::task::yield_now().await;
    }
}
