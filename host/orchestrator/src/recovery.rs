//! What lost workers left behind: nothing stays stuck.

use attune_domain::access::Scope;
use attune_domain::action::OnLost;
use attune_domain::execution::outcome;
use attune_domain::execution::transition::{self, Event, MAX_STARTS};
use attune_domain::execution::{Execution, ExecutionStatus};
use attune_domain::id::WorkerId;
use attune_domain::store::{StoreError, StoreResult};

use crate::commit;
use crate::shared::Shared;

/// Executions that are read at once.
const BATCH: u32 = 100;

/// Settles every execution whose lease has ended. Others may do the same at the same time.
pub(crate) async fn settle_orphans(shared: &Shared) -> StoreResult<()> {
    loop {
        let orphans = shared.store.orphans(BATCH).await?;
        let found = orphans.len();
        let mut settled = 0;
        for orphan in orphans {
            settled += usize::from(settle(shared, orphan).await?);
        }
        // What was settled by others or not at all is looked at again another time.
        if settled == 0 || found < BATCH as usize {
            return Ok(());
        }
    }
}

/// Makes one step of an orphan; false when somebody else did.
///
/// What that step is depends on what is stored: it is not tried again on another state, as
/// the same event could mean something else there.
async fn settle(shared: &Shared, orphan: Execution) -> StoreResult<bool> {
    let event = settlement(shared, &orphan).await?;
    make_step(shared, orphan, event).await
}

/// Settles an execution that is held here and that nobody here sees through: the database took
/// its claim, or the request for it, and was lost before it could say so. It was not started, or
/// an attempt at it has failed.
pub(crate) async fn settle_unattended(shared: &Shared, held: Execution) -> StoreResult<bool> {
    let begun = shared.attendance.has_failed(held.id);
    let event = match held.state.status {
        ExecutionStatus::Scheduled | ExecutionStatus::Running if !begun => Event::Released,
        _ => settlement(shared, &held).await?,
    };
    make_step(shared, held, event).await
}

async fn make_step(shared: &Shared, orphan: Execution, event: Event) -> StoreResult<bool> {
    let (scope, id) = (Scope::of_execution(&orphan), orphan.id);
    let transition = match transition::apply(&orphan.state, event, shared.clock.now()) {
        Ok(transition) => transition,
        Err(error) => {
            tracing::error!(execution = %id, %error, "an execution could not be settled");
            return Ok(false);
        }
    };
    match shared.store.write_state(scope, id, &transition.state, Vec::new(), None).await {
        Ok(()) => {
            let status = orphan.state.status;
            tracing::info!(execution = %id, status = status.as_str(), "settled what a worker lost");
            commit::follow_up(shared, orphan, status, transition).await;
            Ok(true)
        }
        Err(StoreError::Conflict) => Ok(false),
        Err(error) => Err(error),
    }
}

/// Claimed but not started goes back to the queue; possibly started is abandoned,
/// unless its author allows another start (contract, README decision 5).
async fn settlement(shared: &Shared, orphan: &Execution) -> StoreResult<Event> {
    let state = &orphan.state;
    if state.status == ExecutionStatus::Scheduled {
        return Ok(Event::Released);
    }
    if state.status != ExecutionStatus::Running || !may_rerun(shared, orphan).await? {
        return abandoned(shared, orphan).await;
    }
    if state.starts < MAX_STARTS {
        return Ok(Event::Requeued);
    }
    Ok(Event::Ended(outcome::of_runner_lost_again(state.starts)))
}

async fn may_rerun(shared: &Shared, orphan: &Execution) -> StoreResult<bool> {
    let scope = Scope::of_execution(orphan);
    let runnable = shared.store.runnable_action(scope, &orphan.action_ref).await?;
    Ok(runnable.is_some_and(|runnable| runnable.action.run.on_lost == OnLost::Rerun))
}

async fn abandoned(shared: &Shared, orphan: &Execution) -> StoreResult<Event> {
    let id = orphan.state.worker.unwrap_or(WorkerId(0));
    let worker = shared.store.worker(id).await?;
    let shown = outcome::Worker {
        id,
        name: worker.as_ref().map_or("", |worker| &worker.name),
        cordoned: worker.as_ref().is_some_and(|worker| worker.cordon.is_some()),
    };
    Ok(Event::Ended(outcome::of_lost_worker(orphan.state.status, shown)))
}
