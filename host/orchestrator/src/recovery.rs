//! What an earlier process of this worker left behind: nothing stays stuck.

use attune_domain::access::Scope;
use attune_domain::action::OnLost;
use attune_domain::execution::outcome;
use attune_domain::execution::transition::{Event, MAX_STARTS};
use attune_domain::execution::{Execution, ExecutionStatus};
use attune_domain::store::StoreResult;

use crate::commit::{self, StepError};
use crate::shared::Shared;

/// Settles every execution that this worker holds in the store, before it takes new work.
pub(crate) async fn settle_held(shared: &Shared) -> StoreResult<()> {
    for execution in shared.store.held_by(shared.worker).await? {
        let event = settlement(shared, &execution).await?;
        tracing::info!(execution = %execution.id, status = execution.state.status.as_str(),
            "settling what an earlier process left");
        match commit::step(shared, execution, event, Vec::new()).await {
            Ok(_) | Err(StepError::Gone) => {}
            Err(StepError::Store(error)) => return Err(error),
            Err(StepError::Illegal(illegal)) => {
                tracing::error!(error = %illegal, "an execution could not be settled");
            }
        }
    }
    Ok(())
}

/// Claimed but not started goes back to the queue; possibly started is abandoned,
/// unless its author allows another start (contract, README decision 5).
async fn settlement(shared: &Shared, execution: &Execution) -> StoreResult<Event> {
    let state = &execution.state;
    if state.status == ExecutionStatus::Scheduled {
        return Ok(Event::Released);
    }
    let abandoned = || outcome::of_lost_worker(state.status, shared.as_worker());
    if state.status != ExecutionStatus::Running || !may_rerun(shared, execution).await? {
        return Ok(Event::Ended(abandoned()));
    }
    if state.starts < MAX_STARTS {
        return Ok(Event::Requeued);
    }
    Ok(Event::Ended(outcome::of_runner_lost_again(state.starts)))
}

async fn may_rerun(shared: &Shared, execution: &Execution) -> StoreResult<bool> {
    let scope = Scope::of_execution(execution);
    let runnable = shared.store.runnable_action(scope, &execution.action_ref).await?;
    Ok(runnable.is_some_and(|runnable| runnable.action.run.on_lost == OnLost::Rerun))
}
