//! Committing one step of an execution: the pure transition, the write, and what
//! follows from it.

use std::sync::Arc;
use std::time::Duration;

use attune_domain::access::Scope;
use attune_domain::clock::Timestamp;
use attune_domain::execution::transition::{self, Effect, Event, IllegalTransition, Transition};
use attune_domain::execution::{Execution, ExecutionStatus, State};
use attune_domain::peer::Message;
use attune_domain::store::{LogChunk, StoreError, StoreResult};
use futures::future::BoxFuture;

use crate::shared::Shared;

/// Wait before a step that the database could not take is tried again.
const RETRY_AFTER: Duration = Duration::from_millis(500);

/// Why a step was not made.
#[derive(Debug, thiserror::Error)]
pub(crate) enum StepError {
    #[error(transparent)]
    Illegal(#[from] IllegalTransition),
    #[error(transparent)]
    Store(#[from] StoreError),
    #[error("the execution is gone")]
    Gone,
    /// Whatever became of it is not the caller's business any more.
    #[error("the lease under which the execution was held has ended")]
    LeaseLost,
}

/// Applies `event` to the execution as it is stored, commits, announces and performs
/// the effects. When somebody else made a step in between, the event is applied to
/// what that step left.
///
/// An execution that is held is changed only under its lease, but for a cancel, which anybody
/// may ask for.
pub(crate) async fn step(
    shared: &Shared,
    execution: Execution,
    event: Event,
    log: Vec<LogChunk>,
) -> Result<Arc<Execution>, StepError> {
    step_at(shared, execution, event, log, shared.clock.now()).await
}

/// The same for an event of this time, by which it is known again: the database may have taken a
/// step, and been lost before it could say so.
async fn step_at(
    shared: &Shared,
    mut execution: Execution,
    event: Event,
    log: Vec<LogChunk>,
    now: Timestamp,
) -> Result<Arc<Execution>, StepError> {
    let scope = Scope::of_execution(&execution);
    let fence = match event {
        Event::CancelRequested => None,
        _ => execution.state.lease,
    };
    loop {
        let old_status = execution.state.status;
        let transition = transition::apply(&execution.state, event.clone(), now)?;
        let state = &transition.state;
        match shared.store.write_state(scope, execution.id, state, log.clone(), fence).await {
            Ok(()) => return Ok(follow_up(shared, execution, old_status, transition).await),
            Err(StoreError::Conflict) => {
                let stored = shared.store.execution(scope, execution.id).await?;
                let stored = stored.ok_or(StepError::Gone)?;
                if is_written(&stored.state, state) {
                    return Ok(follow_up(shared, execution, old_status, transition).await);
                }
                if fence.is_some() && !is_same_holding(&execution.state, &stored.state) {
                    return Err(StepError::LeaseLost);
                }
                execution = stored;
            }
            Err(error) => return Err(error.into()),
        }
    }
}

/// Whether what is stored is this state, which nobody else would write at that time.
fn is_written(stored: &State, state: &State) -> bool {
    (stored.version, stored.status, stored.lease, stored.updated)
        == (state.version, state.status, state.lease, state.updated)
}

/// Whether what is stored is what became of the holding that `known` is a state of, by a cancel
/// or an end. What went back to the queue may be held here again, under the same lease.
fn is_same_holding(known: &State, stored: &State) -> bool {
    let moved_on = stored.status == ExecutionStatus::Canceling || stored.status.is_terminal();
    (stored.lease, stored.starts) == (known.lease, known.starts)
        && stored.version != known.version
        && moved_on
}

/// Announces a step that was committed, and does what follows from it.
pub(crate) async fn follow_up(
    shared: &Shared,
    execution: Execution,
    old_status: ExecutionStatus,
    transition: Transition,
) -> Arc<Execution> {
    let steps = [transition.state.status];
    let execution = Arc::new(Execution { state: transition.state, ..execution });
    shared.announce(&execution, Some(old_status), &steps);
    perform(shared, &execution, &transition.effects).await;
    execution
}

/// Makes a step that must not be lost: a full or absent database is waited for.
pub(crate) async fn step_for_sure(
    shared: &Shared,
    execution: &Execution,
    event: Event,
    log: Vec<LogChunk>,
) -> Result<Arc<Execution>, StepError> {
    let now = shared.clock.now();
    loop {
        let (execution, event, log) = (execution.clone(), event.clone(), log.clone());
        match step_at(shared, execution, event, log, now).await {
            Err(StepError::Store(error)) if may_pass(&error) => wait_out(shared, &error).await,
            other => return other,
        }
    }
}

/// Asks the store until it answers: a full or absent database is waited for.
pub(crate) async fn for_sure<'a, T>(
    shared: &Shared,
    ask: impl Fn() -> BoxFuture<'a, StoreResult<T>> + Send,
) -> StoreResult<T> {
    loop {
        match ask().await {
            Err(error) if may_pass(&error) => wait_out(shared, &error).await,
            other => return other,
        }
    }
}

fn may_pass(error: &StoreError) -> bool {
    matches!(error, StoreError::Full | StoreError::Unavailable(_))
}

async fn wait_out(shared: &Shared, error: &StoreError) {
    tracing::warn!(error = error as &dyn std::error::Error, "the database does not answer now");
    shared.clock.sleep(RETRY_AFTER).await;
}

async fn perform(shared: &Shared, execution: &Execution, effects: &[Effect]) {
    for effect in effects {
        match effect {
            Effect::StopRun => {
                if !shared.live.stop(execution.id).await {
                    shared.mouth.tell(Message::Stop(execution.id));
                }
            }
            Effect::WakeQueue => shared.queue_grew(),
        }
    }
}
