//! Cancelling an execution.

use attune_domain::access::Scope;
use attune_domain::execution::transition::Event;
use attune_domain::execution::{Execution, ExecutionStatus};
use attune_domain::id::ExecutionId;
use attune_domain::store::StoreError;

use crate::Orchestrator;
use crate::commit::{self, StepError};

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
        let stored = self.shared.store.execution(scope, id).await?;
        let execution = stored.ok_or(CancelError::NotFound)?;
        match commit::step(&self.shared, execution, Event::CancelRequested, Vec::new()).await {
            Ok(execution) => Ok(Execution::clone(&execution)),
            Err(StepError::Store(error)) => Err(error.into()),
            Err(StepError::Gone) => Err(CancelError::NotFound),
            Err(StepError::Illegal(_)) => self.already(scope, id).await,
        }
    }

    async fn already(&self, scope: Scope, id: ExecutionId) -> Result<Execution, CancelError> {
        let stored = self.shared.store.execution(scope, id).await?;
        let execution = stored.ok_or(CancelError::NotFound)?;
        if execution.state.status == ExecutionStatus::Canceling {
            return Ok(execution);
        }
        Err(CancelError::AlreadyEnded(Box::new(execution)))
    }
}
