//! Waiting for the end of an execution without polling.

use std::pin::pin;
use std::time::Duration;

use attune_domain::access::Scope;
use attune_domain::execution::Execution;
use attune_domain::id::ExecutionId;
use attune_domain::store::StoreResult;

use crate::Orchestrator;

/// The slow look behind what is told: another server may have ended it without telling.
const POLL: Duration = Duration::from_secs(5);

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
        let mut ended = pin!(registration.ended());
        let mut too_long = shared.clock.sleep(at_most);
        loop {
            tokio::select! {
                ended = &mut ended => match ended {
                    Some(execution) if execution.tenant == scope.tenant() => {
                        return Ok(Some(execution));
                    }
                    _ => return shared.store.execution(scope, id).await,
                },
                () = &mut too_long => return shared.store.execution(scope, id).await,
                () = shared.live.told_to_look_again() => {}
                () = shared.clock.sleep(POLL) => {}
            }
            match shared.store.execution(scope, id).await? {
                Some(execution) if !execution.state.status.is_terminal() => {}
                other => return Ok(other),
            }
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
