//! What an earlier process left behind.

use attune_domain::action::OnLost;
use attune_domain::execution::ExecutionStatus as S;

use crate::scripted_runner::Script;
use crate::world::World;

/// A world in which one run hangs for ever, as if its process had been killed.
async fn killed(on_lost: OnLost) -> (World, attune_domain::id::ExecutionId) {
    let mut world = World::with(1, on_lost).await;
    world.runner.next(Script::UntilStopped { stdout: "" });
    let execution = world.submit().await;
    world.next_start().await;
    (world, execution.id)
}

#[tokio::test]
async fn a_run_that_may_have_started_is_abandoned() {
    let (world, id) = killed(OnLost::Abandon).await;
    let world = world.restarted(1).await;
    let ended = world.end_of(id).await;
    assert_eq!(ended.state.status, S::Abandoned);
    let result = ended.state.result.unwrap();
    assert_eq!(result["original_status"], "running");
    assert_eq!(result["abandoned_by"], "execution_timeout_monitor");
}

#[tokio::test]
async fn its_author_may_allow_another_start() {
    let (world, id) = killed(OnLost::Rerun).await;
    let mut world = world.restarted(1).await;
    assert_eq!(world.next_start().await.caller.execution, id);
    assert_eq!(world.end_of(id).await.state.status, S::Completed);
}

#[tokio::test]
async fn a_cancel_that_was_promised_is_kept() {
    let (world, id) = killed(OnLost::Rerun).await;
    world.orchestrator.cancel(world.scope(), id).await.unwrap();
    let world = world.restarted(1).await;
    assert_eq!(world.end_of(id).await.state.status, S::Cancelled);
}

#[tokio::test]
async fn the_queue_is_taken_up_again() {
    let (world, _) = killed(OnLost::Abandon).await;
    let queued = world.submit().await;
    assert_eq!(queued.state.status, S::Requested);
    let mut world = world.restarted(1).await;
    assert_eq!(world.next_start().await.caller.execution, queued.id);
    assert_eq!(world.end_of(queued.id).await.state.status, S::Completed);
}
