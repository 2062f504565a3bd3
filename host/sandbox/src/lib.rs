//! The sandbox: runs guests behind two walls.
//!
//! The first wall is wasmtime ([`engine`], [`guest`]): a fresh instance for each
//! run, deny by default, every resource counted. The second stands around the
//! whole process that runs it ([`confine`]): a runner serves one tenant, and
//! has no network, no other files and no way to other processes.
//!
//! ```text
//! server process                          runner process, one tenant, one thread
//!   Sandbox ─ pool ─ bound ═══ socket ═══ serve ─ run ─ instance ─ guest
//!                              protocol
//! ```
//!
//! Start with [`Sandbox`] for the server's side, [`runner_main`] for the
//! runner's, and `guest/wasi.rs` for the list of what a guest may touch.

mod confine;
mod engine;
mod envelope;
mod guest;
mod protocol;
mod runner;
mod server;
mod settings;
mod window;

/// For the test that attacks the second wall from within; not part of the product.
#[doc(hidden)]
pub use confine::confine_like_a_runner;

use std::io;
use std::os::unix::fs::DirBuilderExt;
use std::path::Path;
use std::sync::Arc;

use async_trait::async_trait;
use attune_domain::egress::Egress;
use attune_domain::runner::{Job, Lost, OutputSink, Place, RunEnd, RunReport, Runner, StopSignal};
use tokio::sync::Semaphore;

pub use confine::{ConfinementReport, Feature, probe_confinement};
pub use runner::runner_main;
pub use server::measure::describe_metrics;
pub use settings::{Confinement, RuntimeImage, Settings};

use server::pool::Pool;

/// Why a sandbox cannot work.
#[derive(Debug, thiserror::Error)]
pub enum SandboxError {
    #[error("a runner process could not be started: {0}")]
    Start(#[source] io::Error),
    #[error("a runner process failed: {0}")]
    Runner(#[source] io::Error),
    #[error("the runtime cannot be used: {0}")]
    Image(String),
    #[error("runners cannot be confined on this machine: {0}")]
    Confinement(String),
    #[error("scratch space cannot be prepared: {0}")]
    Scratch(#[source] io::Error),
    #[error("no runner can be started: {0}")]
    NoRunner(String),
    #[error("the sandbox is shut down")]
    Closed,
}

/// Runners that may die before they begin with a run, until the run fails.
const START_ATTEMPTS: usize = 3;
const NOT_STARTED: RunEnd = RunEnd::Lost(Lost::BeforeStart);

/// Runner processes, and the places for runs in them.
pub struct Sandbox {
    pool: Arc<Pool>,
    places: Arc<Semaphore>,
    egress: Arc<dyn Egress>,
}

impl Sandbox {
    /// Compiles the runtimes if this machine has not yet (seconds, once), and starts the
    /// first runner. What guests ask of the network goes to `egress`.
    pub async fn start(
        settings: Settings,
        egress: Arc<dyn Egress>,
    ) -> Result<Arc<Sandbox>, SandboxError> {
        check_confinement(&settings)?;
        prepare_scratch(&settings.scratch_dir).map_err(SandboxError::Scratch)?;
        let places = settings.runners * settings.places_per_runner;
        let pool = Pool::start(settings).await?;
        Ok(Arc::new(Sandbox { pool, places: Arc::new(Semaphore::new(places)), egress }))
    }

    /// Brings up to date what is not counted as it happens, but looked at.
    pub fn update_gauges(&self) {
        self.pool.update_gauges();
    }

    /// Ends all runners. Runs that are still going, and new ones, end as lost.
    pub async fn shutdown(&self) {
        self.places.close();
        let pool = self.pool.clone();
        // Waiting for processes to die is blocking, though short.
        let closed = tokio::task::spawn_blocking(move || pool.close()).await;
        if let Err(error) = closed {
            tracing::warn!(%error, "runners were left to die with the server");
        }
    }
}

#[async_trait]
impl Runner for Sandbox {
    fn try_reserve(&self) -> Option<Place> {
        self.places.clone().try_acquire_owned().ok().map(Place::new)
    }

    async fn reserve(&self) -> Place {
        match self.places.clone().acquire_owned().await {
            Ok(permit) => Place::new(permit),
            // Shut down: there is no place and never will be.
            Err(_) => std::future::pending().await,
        }
    }

    fn is_failing(&self) -> bool {
        self.pool.is_failing()
    }

    async fn run(
        &self,
        _place: Place,
        job: Job,
        output: &mut dyn OutputSink,
        mut stop: StopSignal,
    ) -> RunReport {
        for _ in 0..START_ATTEMPTS {
            let lease = tokio::select! {
                biased;
                () = &mut stop => return server::run::unseen(RunEnd::Stopped),
                lease = self.pool.lease(job.caller.scope.tenant()) => lease,
            };
            let report = match lease {
                Ok(lease) => {
                    server::run::follow(&lease, &job, &self.egress, output, &mut stop).await
                }
                // Another server, or this one later, can still do it.
                Err(SandboxError::Closed | SandboxError::NoRunner(_)) => {
                    return server::run::unseen(NOT_STARTED);
                }
                Err(problem) => return server::run::unseen(RunEnd::NotSetUp(problem.to_string())),
            };
            if report.end != NOT_STARTED {
                return report;
            }
        }
        let problem = "every runner that was to run the action died before it began";
        server::run::unseen(RunEnd::NotSetUp(problem.to_owned()))
    }
}

fn check_confinement(settings: &Settings) -> Result<(), SandboxError> {
    let report = probe_confinement();
    if report.sufficient {
        return Ok(());
    }
    let missing: Vec<_> =
        report.features.iter().filter(|feature| !feature.present).map(|f| f.name).collect();
    let missing = format!("missing: {}", missing.join(", "));
    match settings.confinement {
        Confinement::Required => Err(SandboxError::Confinement(missing)),
        Confinement::BestEffort => {
            tracing::warn!(%missing, "runners are not fully confined");
            Ok(())
        }
    }
}

/// An empty directory that nobody else can read.
fn prepare_scratch(directory: &Path) -> io::Result<()> {
    if directory.exists() {
        guest::scratch::remove_tree(directory)?;
    }
    std::fs::DirBuilder::new().recursive(true).mode(0o700).create(directory)
}
