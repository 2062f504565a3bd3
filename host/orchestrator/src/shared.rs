//! What the loops have in common.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use attune_domain::clock::Clock;
use attune_domain::egress::HttpLimits;
use attune_domain::execution::{Execution, ExecutionStatus, outcome};
use attune_domain::id::WorkerId;
use attune_domain::limits::Limits;
use attune_domain::native::{NativePolicy, NativeRunner};
use attune_domain::notice::{ExecutionNotice, Notice};
use attune_domain::pack::PackFolders;
use attune_domain::peer::Message;
use attune_domain::runner::Runner;
use attune_domain::store::Store;
use attune_domain::vault::Vault;
use attune_domain::worker::{Capacity, Holder, RuntimeSupport};
use tokio::sync::{Notify, broadcast};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use crate::Parts;
use crate::attendance::Attendance;
use crate::history;
use crate::live::Live;
use crate::no_runner::NoRunner;
use crate::peers::Mouth;

/// Notices a slow watcher may fall behind before it has to read the store again.
const NOTICES_KEPT: usize = 4096;

/// How executions are run here.
#[derive(Clone, Debug)]
pub struct Settings {
    /// Tells this server's folder of data, which no two processes share.
    pub home: String,
    /// The name this server's worker registers under; unique among servers that share a
    /// database.
    pub worker_name: String,
    /// How long a worker that gives no sign of life keeps what it holds.
    pub lease: Duration,
    /// Whether this server sees to what other servers have lost.
    pub watches: bool,
    /// Runs that this server may have at once; 0 where it has no runner.
    pub places: u32,
    /// What it can run.
    pub runtimes: Vec<RuntimeSupport>,
    /// Limits of a run whose action declares none.
    pub limits: Limits,
    /// What a run may use of the network.
    pub http: HttpLimits,
    /// The longest wall clock an action may declare.
    pub max_wall: Duration,
    /// How long running work may go on after the server was told to stop.
    pub drain: Duration,
    /// Whose actions may run natively.
    pub native: NativePolicy,
    /// `ATTUNE_API_URL` of actions.
    pub api_url: String,
}

/// What this server's worker may do.
#[derive(Default)]
struct Holding {
    holder: Option<Holder>,
    cordoned: bool,
}

impl Settings {
    /// Whether this server runs executions.
    pub(crate) fn runs(&self) -> bool {
        self.places > 0
    }

    /// What others are told of it.
    pub(crate) fn capacity(&self) -> Capacity {
        Capacity { places: self.places, runtimes: self.runtimes.clone() }
    }
}

pub(crate) struct Shared {
    pub(crate) store: Arc<dyn Store>,
    pub(crate) runner: Arc<dyn Runner>,
    pub(crate) native: Result<Arc<dyn NativeRunner>, String>,
    pub(crate) vault: Arc<dyn Vault>,
    pub(crate) folders: Arc<dyn PackFolders>,
    pub(crate) clock: Arc<dyn Clock>,
    pub(crate) settings: Settings,
    holding: Mutex<Holding>,
    pub(crate) live: Live,
    pub(crate) attendance: Attendance,
    pub(crate) mouth: Mouth,
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
    /// Asks for a beat without waiting for its time.
    pub(crate) beat_now: Notify,
}

impl Shared {
    pub(crate) fn new(parts: Parts, mouth: Mouth) -> Shared {
        Shared {
            store: parts.store,
            runner: parts.runner.unwrap_or_else(|| Arc::new(NoRunner)),
            native: parts.native,
            vault: parts.vault,
            folders: parts.folders,
            clock: parts.clock,
            settings: parts.settings,
            holding: Mutex::default(),
            live: Live::default(),
            attendance: Attendance::default(),
            mouth,
            notices: broadcast::Sender::new(NOTICES_KEPT),
            attempts: TaskTracker::new(),
            stopping: CancellationToken::new(),
            queue_waits: AtomicBool::new(true),
            queue_wake: Notify::new(),
            beat_now: Notify::new(),
        }
    }

    pub(crate) fn stop_taking_work(&self) {
        self.stopping.cancel();
        self.attempts.close();
    }

    /// Notes the lease that this server's worker has now.
    pub(crate) fn hold(&self, holder: Option<Holder>) {
        if let Some(holder) = holder {
            history::lease_granted(holder);
        }
        self.holding().holder = holder;
    }

    /// Notes whether the worker is cordoned; it looks into the queue when it no longer is.
    pub(crate) fn set_cordoned(&self, cordoned: bool) {
        let was = std::mem::replace(&mut self.holding().cordoned, cordoned);
        if was != cordoned {
            tracing::info!(cordoned, "this worker's cordon was changed");
            self.wake_queue();
        }
    }

    /// The lease of this server's worker.
    pub(crate) fn holder(&self) -> Option<Holder> {
        self.holding().holder
    }

    /// Whether this server is ending and has no lease any more.
    pub(crate) fn has_left(&self) -> bool {
        self.stopping.is_cancelled() && self.holder().is_none()
    }

    /// The lease under which new work may be taken now.
    pub(crate) fn may_claim(&self) -> Option<Holder> {
        let holding = self.holding();
        holding.holder.filter(|_| !holding.cordoned)
    }

    /// This server's worker, as the results of executions show it that it held.
    pub(crate) fn as_worker(&self, execution: &Execution) -> outcome::Worker<'_> {
        outcome::Worker {
            id: execution.state.worker.unwrap_or(WorkerId(0)),
            name: &self.settings.worker_name,
            cordoned: self.holding().cordoned,
        }
    }

    fn holding(&self) -> MutexGuard<'_, Holding> {
        // No code panics while it holds the lock.
        self.holding.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Says, here and to other servers, that an execution waits in the queue.
    pub(crate) fn queue_grew(&self) {
        self.wake_queue();
        self.mouth.tell(Message::Queue);
    }

    /// Has this server look into the queue.
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

    /// Tells watchers, here and at other servers, each step that a commit made, and waiters the
    /// end.
    pub(crate) fn announce(
        &self,
        execution: &Arc<Execution>,
        old_status: Option<ExecutionStatus>,
        steps: &[ExecutionStatus],
    ) {
        history::committed(execution, steps);
        self.show(execution, old_status, steps);
        self.mouth.tell(Message::Steps {
            tenant: execution.tenant,
            execution: execution.id,
            from: old_status,
            to: steps.to_vec(),
        });
    }

    /// Tells watchers here each step that a commit made, in order, and waiters the end.
    pub(crate) fn show(
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
