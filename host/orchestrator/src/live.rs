//! Executions that something in this process holds on to: a run that can be told
//! to stop, or callers who wait for the end.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use attune_domain::execution::Execution;
use attune_domain::id::{ExecutionId, LeaseId, TenantId};
use tokio::sync::{Notify, RwLock, RwLockReadGuard, oneshot};
use tokio_util::sync::CancellationToken;

#[derive(Default)]
pub(crate) struct Live {
    entries: Mutex<HashMap<ExecutionId, Entry>>,
    /// Wakes waiters who have to look into the store.
    again: Notify,
    /// Read while executions are created started, until their runs are noted here.
    starts: RwLock<()>,
}

#[derive(Default)]
struct Entry {
    /// Set while this process runs the execution.
    run: Option<Run>,
    waiters: Vec<oneshot::Sender<Arc<Execution>>>,
}

struct Run {
    tenant: TenantId,
    /// Under which it was claimed: what was claimed again is another run.
    lease: Option<LeaseId>,
    stop: CancellationToken,
}

impl Live {
    /// Notes that this process runs `id`, claimed under this lease; the token is cancelled when it
    /// is to stop. A run under a lease that has ended makes room for one under the next, and does
    /// not come back.
    pub(crate) fn runs(
        &self,
        tenant: TenantId,
        id: ExecutionId,
        lease: Option<LeaseId>,
    ) -> CancellationToken {
        let stop = CancellationToken::new();
        let mut entries = self.lock();
        let run = &mut entries.entry(id).or_default().run;
        match &*run {
            Some(run) if run.lease == lease => return run.stop.clone(),
            Some(run) if run.lease > lease => stop.cancel(),
            _ => {
                if let Some(former) = run.replace(Run { tenant, lease, stop: stop.clone() }) {
                    former.stop.cancel();
                }
            }
        }
        stop
    }

    /// Held from before an execution is committed as started until [`runs`](Self::runs)
    /// has noted its id, which the commit gives.
    pub(crate) async fn starting(&self) -> RwLockReadGuard<'_, ()> {
        self.starts.read().await
    }

    /// Tells the run of `id`, which was committed as started, to stop; false when it is not here.
    pub(crate) async fn stop(&self, id: ExecutionId) -> bool {
        if self.stop_noted(id) {
            return true;
        }
        // It is over or elsewhere, or its commit is so young that it is not noted yet.
        drop(self.starts.write().await);
        self.stop_noted(id)
    }

    /// Tells the run of `id` to stop, if it is noted here; whether it was.
    pub(crate) fn stop_noted(&self, id: ExecutionId) -> bool {
        let entries = self.lock();
        let run = entries.get(&id).and_then(|entry| entry.run.as_ref());
        run.inspect(|run| run.stop.cancel()).is_some()
    }

    /// Tells every run to stop.
    pub(crate) fn stop_all(&self) {
        let entries = self.lock();
        entries.values().filter_map(|entry| entry.run.as_ref()).for_each(|run| run.stop.cancel());
    }

    /// How many runs are here.
    pub(crate) fn running(&self) -> usize {
        self.lock().values().filter(|entry| entry.run.is_some()).count()
    }

    /// The run of `id` under this lease is over here without being the execution's end.
    pub(crate) fn runs_no_more(&self, id: ExecutionId, lease: Option<LeaseId>) {
        let mut entries = self.lock();
        if let Some(entry) = entries.get_mut(&id) {
            entry.run.take_if(|run| run.lease == lease);
            if entry.run.is_none() && entry.waiters.is_empty() {
                entries.remove(&id);
            }
        }
    }

    /// A receiver for the end of `id`, and whether `id` runs here now for this tenant:
    /// then it has not ended, and nobody needs to look into the store.
    pub(crate) fn wait(
        &self,
        tenant: TenantId,
        id: ExecutionId,
    ) -> (oneshot::Receiver<Arc<Execution>>, bool) {
        let (sender, receiver) = oneshot::channel();
        let mut entries = self.lock();
        let entry = entries.entry(id).or_default();
        entry.waiters.push(sender);
        (receiver, entry.run.as_ref().is_some_and(|run| run.tenant == tenant))
    }

    /// Whether somebody waits for the end of `id`.
    pub(crate) fn is_awaited(&self, id: ExecutionId) -> bool {
        self.lock().get(&id).is_some_and(|entry| !entry.waiters.is_empty())
    }

    /// Has everybody who waits for an end look into the store.
    pub(crate) fn look_again(&self) {
        self.again.notify_waiters();
    }

    /// Resolves when those who wait are to look into the store.
    pub(crate) async fn told_to_look_again(&self) {
        self.again.notified().await;
    }

    /// Forgets waiters of `id` that have gone away.
    pub(crate) fn forget_gone(&self, id: ExecutionId) {
        let mut entries = self.lock();
        if let Some(entry) = entries.get_mut(&id) {
            entry.waiters.retain(|waiter| !waiter.is_closed());
            if entry.waiters.is_empty() && entry.run.is_none() {
                entries.remove(&id);
            }
        }
    }

    /// Hands the end to all who wait for it.
    pub(crate) fn ended(&self, execution: &Arc<Execution>) {
        let entry = self.lock().remove(&execution.id);
        for waiter in entry.into_iter().flat_map(|entry| entry.waiters) {
            // A waiter that has gone away is nobody's loss.
            let _ = waiter.send(execution.clone());
        }
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<ExecutionId, Entry>> {
        // No code panics while it holds the lock, and the map is whole at every step.
        self.entries.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use std::pin::pin;

    use super::*;

    const TENANT: TenantId = TenantId(1);
    const ID: ExecutionId = ExecutionId(7);
    const LEASE: Option<LeaseId> = Some(LeaseId(1));
    const NEXT_LEASE: Option<LeaseId> = Some(LeaseId(2));

    #[tokio::test]
    async fn a_stop_reaches_a_run_whose_start_is_committed_but_not_noted() {
        let live = Live::default();
        let starting = live.starting().await;
        let mut stop = pin!(live.stop(ID));
        assert!(futures::poll!(stop.as_mut()).is_pending());
        let stopped = live.runs(TENANT, ID, LEASE);
        drop(starting);
        assert!(stop.await);
        assert!(stopped.is_cancelled());
    }

    #[tokio::test]
    async fn a_stop_of_what_is_over_leaves_nothing_behind() {
        let live = Live::default();
        assert!(!live.stop(ID).await);
        assert!(live.lock().is_empty());
        assert!(!live.runs(TENANT, ID, LEASE).is_cancelled());
    }

    #[test]
    fn a_run_under_a_lost_lease_does_not_stop_the_one_under_the_next() {
        let live = Live::default();
        let lost = live.runs(TENANT, ID, LEASE);
        live.stop_all();
        let next = live.runs(TENANT, ID, NEXT_LEASE);
        live.runs_no_more(ID, LEASE);
        assert!(lost.is_cancelled());
        assert!(live.runs(TENANT, ID, LEASE).is_cancelled());
        assert!(!next.is_cancelled());
        live.stop_all();
        assert!(next.is_cancelled());
    }

    #[test]
    fn only_its_own_tenant_is_told_that_an_execution_runs_here() {
        let live = Live::default();
        live.runs(TENANT, ID, LEASE);
        assert!(live.wait(TENANT, ID).1);
        assert!(!live.wait(TenantId(2), ID).1);
    }
}
