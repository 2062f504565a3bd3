//! Executions that find no free place.

use std::pin::pin;

use attune_domain::execution::ExecutionStatus as S;
use tokio::sync::oneshot;

use crate::scripted_runner::Script;
use crate::world::World;

#[tokio::test]
async fn the_queue_is_served_in_order_as_places_come_free() {
    let mut world = World::new(1).await;
    let (release, released) = oneshot::channel();
    world.runner.next(Script::UntilReleased(released));
    let first = world.submit().await;
    assert_eq!(world.next_start().await.caller.execution, first.id);
    let second = world.submit().await;
    let third = world.submit().await;
    assert_eq!(second.state.status, S::Requested);
    release.send(()).unwrap();
    assert_eq!(world.next_start().await.caller.execution, second.id);
    assert_eq!(world.next_start().await.caller.execution, third.id);
    assert_eq!(world.end_of(third.id).await.state.status, S::Completed);
}

#[tokio::test]
async fn a_backlog_larger_than_the_places_empties() {
    let world = World::new(3).await;
    let mut ids = Vec::new();
    for _ in 0..50 {
        ids.push(world.submit().await.id);
    }
    for id in ids {
        assert_eq!(world.end_of(id).await.state.status, S::Completed);
    }
}

#[tokio::test]
async fn draining_waits_for_a_claim_that_is_under_way() {
    let world = World::new(1).await;
    world.runner.next(Script::UntilStopped { stdout: "" });
    world.submit().await;
    world.submit().await;
    let world = world.restarted(1).await;
    // Now the dispatcher asks the queue.
    for _ in 0..3 {
        tokio::task::yield_now().await;
    }
    let drain = pin!(world.orchestrator.drain());
    assert!(futures::poll!(drain).is_pending());
}
