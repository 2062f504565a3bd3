//! Executions that something in this process holds on to: a run that can be told
//! to stop, or callers who wait for the end.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use attune_domain::execution::Execution;
use attune_domain::id::ExecutionId;
use tokio::sync::oneshot;
use tokio_util::sync::CancellationToken;

#[derive(Default)]
pub(crate) struct Live {
    entries: Mutex<HashMap<ExecutionId, Entry>>,
}

#[derive(Default)]
struct Entry {
    /// Set while this process runs the execution.
    stop: Option<CancellationToken>,
    waiters: Vec<oneshot::Sender<Arc<Execution>>>,
}

impl Live {
    /// Notes that this process runs `id`; the token is cancelled when it is to stop.
    pub(crate) fn runs(&self, id: ExecutionId) -> CancellationToken {
        self.lock().entry(id).or_default().stop.get_or_insert_default().clone()
    }

    /// Tells the run of `id` to stop, if it is here.
    pub(crate) fn stop(&self, id: ExecutionId) {
        if let Some(stop) = self.lock().get(&id).and_then(|entry| entry.stop.as_ref()) {
            stop.cancel();
        }
    }

    /// The run of `id` is over here without being the execution's end.
    pub(crate) fn runs_no_more(&self, id: ExecutionId) {
        let mut entries = self.lock();
        if let Some(entry) = entries.get_mut(&id) {
            entry.stop = None;
            if entry.waiters.is_empty() {
                entries.remove(&id);
            }
        }
    }

    /// A receiver for the end of `id`, and whether `id` runs here now: then it has
    /// not ended, and nobody needs to look into the store.
    pub(crate) fn wait(&self, id: ExecutionId) -> (oneshot::Receiver<Arc<Execution>>, bool) {
        let (sender, receiver) = oneshot::channel();
        let mut entries = self.lock();
        let entry = entries.entry(id).or_default();
        entry.waiters.push(sender);
        (receiver, entry.stop.is_some())
    }

    /// Forgets waiters of `id` that have gone away.
    pub(crate) fn forget_gone(&self, id: ExecutionId) {
        let mut entries = self.lock();
        if let Some(entry) = entries.get_mut(&id) {
            entry.waiters.retain(|waiter| !waiter.is_closed());
            if entry.waiters.is_empty() && entry.stop.is_none() {
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
