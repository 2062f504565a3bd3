//! What the loops have in common.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use attune_domain::clock::Clock;
use attune_domain::execution::{Execution, ExecutionStatus, outcome};
use attune_domain::id::WorkerId;
use attune_domain::limits::Limits;
use attune_domain::notice::{ExecutionNotice, Notice};
use attune_domain::pack::PackFolders;
use attune_domain::runner::Runner;
use attune_domain::store::Store;
use tokio::sync::{Notify, broadcast};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use crate::Parts;
use crate::live::Live;

/// Notices a slow watcher may fall behind before it has to read the store again.
const NOTICES_KEPT: usize = 4096;

/// How executions are run here.
#[derive(Clone, Debug)]
pub struct Settings {
    /// The name this server's worker registers under.
    pub worker_name: String,
    /// Limits of a run whose action declares none.
    pub limits: Limits,
    /// The longest wall clock an action may declare.
    pub max_wall: Duration,
    /// How long running work may go on after the server was told to stop.
    pub drain: Duration,
    /// `ATTUNE_API_URL` of actions.
    pub api_url: String,
}

pub(crate) struct Shared {
    pub(crate) store: Arc<dyn Store>,
    pub(crate) runner: Arc<dyn Runner>,
    pub(crate) folders: Arc<dyn PackFolders>,
    pub(crate) clock: Arc<dyn Clock>,
    pub(crate) settings: Settings,
    pub(crate) worker: WorkerId,
    pub(crate) live: Live,
    pub(crate) notices: broadcast::Sender<Notice>,
    /// Runs from their claim to their committed end, and what may become one: a request
    /// that was let in, a look into the queue.
    pub(crate) attempts: TaskTracker,
    /// Cancelled when no more work is to be taken.
    pub(crate) stopping: CancellationToken,
    /// Whether there may be requested executions in the store: newcomers then queue
    /// behind them instead of taking a free place.
    queue_waits: AtomicBool,
    queue_wake: Notify,
}

impl Shared {
    pub(crate) fn new(parts: Parts, worker: WorkerId) -> Shared {
        Shared {
            store: parts.store,
            runner: parts.runner,
            folders: parts.folders,
            clock: parts.clock,
            settings: parts.settings,
            worker,
            live: Live::default(),
            notices: broadcast::Sender::new(NOTICES_KEPT),
            attempts: TaskTracker::new(),
            stopping: CancellationToken::new(),
            queue_waits: AtomicBool::new(true),
            queue_wake: Notify::new(),
        }
    }

    pub(crate) fn stop_taking_work(&self) {
        self.stopping.cancel();
        self.attempts.close();
    }

    /// This server's worker, as results show it.
    pub(crate) fn as_worker(&self) -> outcome::Worker<'_> {
        outcome::Worker { id: self.worker, name: &self.settings.worker_name }
    }

    /// Says that an execution waits in the queue.
    pub(crate) fn wake_queue(&self) {
        self.queue_waits.store(true, Ordering::SeqCst);
        self.queue_wake.notify_one();
    }

    pub(crate) fn queue_waits(&self) -> bool {
        self.queue_waits.load(Ordering::SeqCst)
    }

    /// Called *before* the queue is read, so that a newcomer in between is not forgotten.
    pub(crate) fn assume_queue_empty(&self) {
        self.queue_waits.store(false, Ordering::SeqCst);
    }

    pub(crate) async fn queue_woken(&self) {
        self.queue_wake.notified().await;
    }

    /// Tells watchers each step that a commit made, in order, and waiters the end.
    pub(crate) fn announce(
        &self,
        execution: &Arc<Execution>,
        mut old_status: Option<ExecutionStatus>,
        steps: &[ExecutionStatus],
    ) {
        for &status in steps {
            let notice = ExecutionNotice::new(execution, status, old_status);
            // An error means that nobody watches.
            let _ = self.notices.send(Notice::Execution(Arc::new(notice)));
            old_status = Some(status);
        }
        if execution.state.status.is_terminal() {
            self.live.ended(execution);
        }
    }
}
