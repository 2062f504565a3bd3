//! Waiting for the end of an execution without polling.

use std::time::Duration;

use attune_domain::access::Scope;
use attune_domain::execution::Execution;
use attune_domain::id::ExecutionId;
use attune_domain::store::StoreResult;

use crate::Orchestrator;

impl Orchestrator {
    /// The execution once it has ended, or as it is after `at_most`. None when the
    /// scope has no such execution.
    pub async fn wait_for_end(
        &self,
        scope: Scope,
        id: ExecutionId,
        at_most: Duration,
    ) -> StoreResult<Option<Execution>> {
        let shared = &self.shared;
        // Registered before the store is read, so that an end in between is not missed.
        let (end, runs_here) = shared.live.wait(scope.tenant(), id);
        let registration = Registration { orchestrator: self, id, end: Some(end) };
        if !runs_here {
            match shared.store.execution(scope, id).await? {
                Some(execution) if !execution.state.status.is_terminal() => {}
                other => return Ok(other),
            }
        }
        let ended = tokio::select! {
            ended = registration.ended() => ended,
            () = shared.clock.sleep(at_most) => None,
        };
        match ended {
            Some(execution) if execution.tenant == scope.tenant() => Ok(Some(execution)),
            _ => shared.store.execution(scope, id).await,
        }
    }
}

/// Takes the waiter out again, also when the caller goes away.
struct Registration<'a> {
    orchestrator: &'a Orchestrator,
    id: ExecutionId,
    end: Option<tokio::sync::oneshot::Receiver<std::sync::Arc<Execution>>>,
}

impl Registration<'_> {
    async fn ended(mut self) -> Option<Execution> {
        let execution = self.end.as_mut()?.await.ok()?;
        Some(std::sync::Arc::unwrap_or_clone(execution))
    }
}

impl Drop for Registration<'_> {
    fn drop(&mut self) {
        self.end = None;
        self.orchestrator.shared.live.forget_gone(self.id);
    }
}
