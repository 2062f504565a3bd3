//! Cancelling an execution.

use attune_domain::access::Scope;
use attune_domain::execution::transition::Event;
use attune_domain::execution::{Execution, ExecutionStatus};
use attune_domain::id::ExecutionId;
use attune_domain::store::StoreError;

use crate::Orchestrator;
use crate::commit::{self, StepError};
use crate::shared::Shared;

/// Why nothing was cancelled.
#[derive(Debug, thiserror::Error)]
pub enum CancelError {
    #[error("no such execution")]
    NotFound,
    #[error("the execution has already ended")]
    AlreadyEnded(Box<Execution>),
    #[error(transparent)]
    Store(#[from] StoreError),
}

impl Orchestrator {
    /// Cancels what has not started at once, and tells what runs to stop; the
    /// execution is then `canceling`, and `cancelled` as soon as the run is over.
    /// Asking again while it is `canceling` changes nothing.
    pub async fn cancel(&self, scope: Scope, id: ExecutionId) -> Result<Execution, CancelError> {
        let shared = self.shared.clone();
        // A task of its own: a caller that goes away between the commit and what follows
        // from it must not leave a run that nobody stops.
        let task = tokio::spawn(async move { cancel(&shared, scope, id).await });
        task.await.unwrap_or_else(|panic| Err(StoreError::Unavailable(Box::new(panic)).into()))
    }
}

async fn cancel(shared: &Shared, scope: Scope, id: ExecutionId) -> Result<Execution, CancelError> {
    let execution = stored(shared, scope, id).await?;
    match commit::step(shared, execution, Event::CancelRequested, Vec::new()).await {
        Ok(execution) => Ok(Execution::clone(&execution)),
        Err(StepError::Store(error)) => Err(error.into()),
        Err(StepError::Gone) => Err(CancelError::NotFound),
        // Not fenced, so no lease can be in its way.
        Err(StepError::Illegal(_) | StepError::LeaseLost) => {
            let execution = stored(shared, scope, id).await?;
            match execution.state.status {
                ExecutionStatus::Canceling => Ok(execution),
                _ => Err(CancelError::AlreadyEnded(Box::new(execution))),
            }
        }
    }
}

async fn stored(shared: &Shared, scope: Scope, id: ExecutionId) -> Result<Execution, CancelError> {
    shared.store.execution(scope, id).await?.ok_or(CancelError::NotFound)
}
