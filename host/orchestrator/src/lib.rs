//! The loops: what was asked for is started, watched, ended and told.
//!
//! [`submit`](Orchestrator::submit) and [`dispatch`] are the two ways an execution
//! reaches a runner: at once, in the commit that creates it, or from the queue.
//! [`attempt`] sees one run through to its committed end. What a state may become
//! is decided in `attune_domain::execution::transition`, how it is stored in the
//! store, how it runs in the runner.

mod attempt;
mod cancel;
mod commit;
mod dispatch;
mod live;
mod output_log;
mod prepare;
mod recovery;
mod shared;
mod submit;
mod wait;

use std::sync::Arc;
use std::time::Duration;

use attune_domain::clock::Clock;
use attune_domain::notice::Notice;
use attune_domain::pack::PackFolders;
use attune_domain::runner::Runner;
use attune_domain::store::{Store, StoreResult};
use tokio::sync::broadcast;

pub use cancel::CancelError;
pub use shared::Settings;
pub use submit::{ExecutionRequest, SubmitError};

use shared::Shared;

/// What runs get to commit their ends, once they were ended.
const SETTLE: Duration = Duration::from_secs(5);

/// Starts, watches and ends executions. Cheap to clone.
#[derive(Clone)]
pub struct Orchestrator {
    shared: Arc<Shared>,
}

/// What an orchestrator works with.
pub struct Parts {
    pub store: Arc<dyn Store>,
    pub runner: Arc<dyn Runner>,
    pub folders: Arc<dyn PackFolders>,
    pub clock: Arc<dyn Clock>,
    pub settings: Settings,
}

impl Orchestrator {
    /// Registers this server's worker, settles what an earlier process of it left
    /// behind, and starts to take work from the queue.
    pub async fn start(parts: Parts) -> StoreResult<Orchestrator> {
        let now = parts.clock.now();
        let worker = parts.store.register_worker(&parts.settings.worker_name, now).await?;
        let shared = Arc::new(Shared::new(parts, worker));
        recovery::settle_held(&shared).await?;
        tokio::spawn(dispatch::run(shared.clone()));
        Ok(Orchestrator { shared })
    }

    /// Committed changes and new output, as they happen. A receiver that lags must
    /// read the store again.
    pub fn watch(&self) -> broadcast::Receiver<Notice> {
        self.shared.notices.subscribe()
    }

    /// Takes no more work and waits until running work has ended, for as long as
    /// `Settings::drain` allows; tells how many runs were still going then.
    pub async fn drain(&self) -> usize {
        self.shared.stop_taking_work();
        self.await_attempts(self.shared.settings.drain).await
    }

    /// Waits until every run has its end committed: after [`drain`](Self::drain) and
    /// the runner's own shutdown, which ends what still runs. A database that takes no
    /// ends is not waited for long: the next start settles what is left. Tells how
    /// many runs that are.
    pub async fn settle(&self) -> usize {
        self.await_attempts(SETTLE).await
    }

    /// Waits until no attempt is left, but not for longer than `at_most`; tells how many are.
    async fn await_attempts(&self, at_most: Duration) -> usize {
        let ended = self.shared.attempts.wait();
        let too_long = self.shared.clock.sleep(at_most);
        tokio::select! {
            () = ended => 0,
            () = too_long => self.shared.attempts.len(),
        }
    }
}
