//! Runners that die.

use attune_domain::action::OnLost;
use attune_domain::execution::ExecutionStatus as S;
use attune_domain::execution::transition::MAX_STARTS;
use attune_domain::runner::Lost;

use crate::scripted_runner::Script;
use crate::world::World;

#[tokio::test]
async fn what_had_not_started_is_started_again() {
    let mut world = World::new(1).await;
    world.runner.next(Script::Lost(Lost::BeforeStart));
    let execution = world.submit().await;
    world.next_start().await;
    assert_eq!(world.next_start().await.caller.execution, execution.id);
    assert_eq!(world.end_of(execution.id).await.state.status, S::Completed);
}

#[tokio::test]
async fn what_may_have_started_is_abandoned() {
    let world = World::new(1).await;
    world.runner.next(Script::Lost(Lost::MaybeStarted));
    let execution = world.submit().await;
    let ended = world.end_of(execution.id).await;
    assert_eq!(ended.state.status, S::Abandoned);
    let result = ended.state.result.unwrap();
    assert_eq!(result["failure_reason"], "runner_lost");
    assert_eq!(result["worker"]["name"], "attune-test");
}

#[tokio::test]
async fn an_author_may_allow_further_starts() {
    let world = World::with(1, OnLost::Rerun).await;
    world.runner.next(Script::Lost(Lost::MaybeStarted));
    let execution = world.submit().await;
    assert_eq!(world.end_of(execution.id).await.state.status, S::Completed);
}

#[tokio::test]
async fn what_takes_down_every_runner_fails() {
    let mut world = World::with(1, OnLost::Rerun).await;
    for _ in 0..MAX_STARTS {
        world.runner.next(Script::Lost(Lost::MaybeStarted));
    }
    let execution = world.submit().await;
    let ended = world.end_of(execution.id).await;
    assert_eq!(ended.state.status, S::Failed);
    assert_eq!(ended.state.result.unwrap()["failure_reason"], "runner_lost");
    for _ in 0..MAX_STARTS {
        world.next_start().await;
    }
    assert!(world.started.try_recv().is_err());
}
