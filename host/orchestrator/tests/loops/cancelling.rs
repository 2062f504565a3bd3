//! Cancelling before, during and after a run.

use std::pin::pin;

use attune_domain::execution::ExecutionStatus as S;
use attune_domain::id::ExecutionId;
use attune_orchestrator::CancelError;

use crate::scripted_runner::Script;
use crate::world::World;

#[tokio::test]
async fn a_running_execution_is_stopped_and_keeps_its_output() {
    let mut world = World::new(1).await;
    world.runner.next(Script::UntilStopped { stdout: "so far" });
    let execution = world.submit().await;
    world.next_start().await;
    let cancelled = world.orchestrator.cancel(world.scope(), execution.id).await.unwrap();
    assert_eq!(cancelled.state.status, S::Canceling);
    let ended = world.end_of(execution.id).await;
    assert_eq!(ended.state.status, S::Cancelled);
    let result = ended.state.result.unwrap();
    assert_eq!((&result["cancelled"], &result["stdout"]), (&true.into(), &"so far".into()));
}

#[tokio::test]
async fn a_caller_that_goes_away_does_not_take_the_cancel_along() {
    let mut world = World::new(1).await;
    world.runner.next(Script::UntilStopped { stdout: "" });
    let execution = world.submit().await;
    world.next_start().await;
    {
        let cancel = pin!(world.orchestrator.cancel(world.scope(), execution.id));
        assert!(futures::poll!(cancel).is_pending());
    }
    let ended = world.end_of(execution.id).await;
    assert_eq!(ended.state.status, S::Cancelled);
}

#[tokio::test]
async fn what_waits_in_the_queue_never_runs() {
    let mut world = World::new(1).await;
    world.runner.next(Script::UntilStopped { stdout: "" });
    let first = world.submit().await;
    world.next_start().await;
    let queued = world.submit().await;
    let cancelled = world.orchestrator.cancel(world.scope(), queued.id).await.unwrap();
    assert_eq!(cancelled.state.status, S::Cancelled);
    world.orchestrator.cancel(world.scope(), first.id).await.unwrap();
    let last = world.submit().await;
    assert_eq!(world.next_start().await.caller.execution, last.id);
}

#[tokio::test]
async fn an_ended_execution_cannot_be_cancelled() {
    let world = World::new(1).await;
    let execution = world.submit().await;
    world.end_of(execution.id).await;
    let again = world.orchestrator.cancel(world.scope(), execution.id).await;
    assert!(matches!(again, Err(CancelError::AlreadyEnded(_))), "{again:?}");
}

#[tokio::test]
async fn an_unknown_execution_is_not_found() {
    let world = World::new(1).await;
    let unknown = world.orchestrator.cancel(world.scope(), ExecutionId(999)).await;
    assert!(matches!(unknown, Err(CancelError::NotFound)), "{unknown:?}");
}
