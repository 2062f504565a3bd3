//! The loops: what was asked for is started, watched, ended and told.
//!
//! [`submit`](Orchestrator::submit) and [`dispatch`] are the two ways an execution
//! reaches a runner: at once, in the commit that creates it, or from the queue.
//! [`attempt`] sees one run through to its committed end. What a state may become
//! is decided in `attune_domain::execution::transition`, how it is stored in the
//! store, how it runs in the runner.

mod attempt;
mod attendance;
mod cancel;
mod commit;
mod dispatch;
mod expiry;
mod heart;
mod history;
mod live;
mod measure;
mod no_runner;
mod output_log;
mod peers;
mod prepare;
mod readiness;
mod recovery;
mod shared;
mod submit;
mod wait;

use std::sync::Arc;
use std::time::Duration;

use attune_domain::clock::Clock;
use attune_domain::native::NativeRunner;
use attune_domain::notice::Notice;
use attune_domain::pack::PackFolders;
use attune_domain::peer::Message;
use attune_domain::runner::Runner;
use attune_domain::store::{Store, StoreError, StoreResult};
use attune_domain::vault::Vault;
use tokio::sync::broadcast;

pub use cancel::CancelError;
pub use measure::describe_metrics;
pub use readiness::Hindrance;
pub use shared::Settings;
pub use submit::{ExecutionRequest, SubmitError};

use peers::Mouth;
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
    /// None on a server that runs nothing itself.
    pub runner: Option<Arc<dyn Runner>>,
    /// Or why there is none.
    pub native: Result<Arc<dyn NativeRunner>, String>,
    pub vault: Arc<dyn Vault>,
    pub folders: Arc<dyn PackFolders>,
    pub clock: Arc<dyn Clock>,
    pub settings: Settings,
}

/// Why an orchestrator did not start.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    #[error(
        "another server on this database runs under the name '{0}'; give each one a name of its \
         own (--worker-name, ATTUNE_WORKER_NAME)"
    )]
    NameTaken(String),
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// The state of a server that hears others and is heard by them, where there can be any.
async fn listening(parts: Parts) -> StoreResult<Arc<Shared>> {
    let Some(heard) = parts.store.listen().await? else {
        return Ok(Arc::new(Shared::new(parts, Mouth::default())));
    };
    let (mouth, said) = Mouth::open();
    let shared = Arc::new(Shared::new(parts, mouth));
    tokio::spawn(peers::talk(shared.clone(), said));
    tokio::spawn(peers::hear(shared.clone(), heard));
    Ok(shared)
}

impl Orchestrator {
    /// Takes a lease for this server's worker, settles what lost ones left behind, and starts
    /// to take work from the queue.
    pub async fn start(parts: Parts) -> Result<Orchestrator, StartError> {
        let shared = listening(parts).await?;
        if shared.settings.runs() {
            shared.hold(Some(heart::acquire(&shared).await?));
        }
        recovery::settle_orphans(&shared).await?;
        // The first beat at once: it tells how much this worker can do.
        shared.beat_now.notify_one();
        tokio::spawn(heart::beat(shared.clone()));
        if shared.settings.watches {
            tokio::spawn(expiry::sweep(shared.clone()));
        }
        if shared.settings.runs() {
            tokio::spawn(dispatch::run(shared.clone()));
        }
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

    /// Has every server look whether its worker's cordon was changed.
    pub fn cordon_changed(&self) {
        self.shared.beat_now.notify_one();
        self.shared.mouth.tell(Message::Cordon);
    }

    /// Gives the lease back: what is left under it, others settle at once.
    pub async fn leave(&self) {
        let shared = &self.shared;
        let Some(holder) = shared.holder() else { return };
        shared.hold(None);
        if let Err(error) = shared.store.end_lease(holder.lease, shared.clock.now()).await {
            let error = &error as &dyn std::error::Error;
            tracing::warn!(error, "the lease was not given back; others wait for its end");
        }
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
