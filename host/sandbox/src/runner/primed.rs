//! Keeps instances in store that have run the priming action.
//!
//! Priming costs more than it saves; it pays because it happens while the
//! runner has nothing else to do. So nothing is primed while a guest runs.

use std::cell::{Cell, RefCell};
use std::collections::HashMap;
use std::fs;
use std::future::poll_fn;
use std::path::{Path, PathBuf};
use std::pin::pin;
use std::rc::Rc;
use std::task::Poll;

use attune_domain::limits::Limits;
use attune_domain::runner::Runtime;
use tokio::sync::Notify;
use wasmtime::Result;

use super::compiled::Compiled;
use super::instance::{Call, Instance, LoadedRuntime, View};
use super::ticker::Ticker;
use super::{PRIME_FILE, PRIME_SCRIPT};
use crate::envelope;

/// What priming may take, so that a broken runtime cannot hang a runner.
const PRIME_FUEL: u64 = 10_000_000_000;

/// The primed instances of one runner.
pub(super) struct Store {
    runtimes: Vec<(Runtime, LoadedRuntime)>,
    scratch: PathBuf,
    prime_folder: PathBuf,
    compiled: Rc<Compiled>,
    wanted: usize,
    primed: RefCell<HashMap<Runtime, Vec<Instance>>>,
    running: Cell<usize>,
    idle: Notify,
}

/// A run in progress: while there is one, nothing is primed.
pub(super) struct Running(Rc<Store>);

impl Store {
    pub(super) fn new(
        runtimes: Vec<(Runtime, LoadedRuntime)>,
        wanted: u32,
        scratch: PathBuf,
    ) -> Result<Store> {
        let prime_folder = scratch.join("prime");
        fs::create_dir(&prime_folder)?;
        fs::write(prime_folder.join(PRIME_FILE), PRIME_SCRIPT)?;
        Ok(Store {
            runtimes,
            scratch,
            prime_folder,
            compiled: Rc::default(),
            wanted: usize::try_from(wanted).unwrap_or(usize::MAX),
            primed: RefCell::default(),
            running: Cell::new(0),
            idle: Notify::new(),
        })
    }

    pub(super) fn runtime(&self, wanted: Runtime) -> Option<&LoadedRuntime> {
        self.runtimes.iter().find(|(runtime, _)| *runtime == wanted).map(|(_, loaded)| loaded)
    }

    pub(super) fn compiled(&self) -> &Rc<Compiled> {
        &self.compiled
    }

    pub(super) fn scratch(&self) -> &Path {
        &self.scratch
    }

    pub(super) fn take(&self, runtime: Runtime) -> Option<Instance> {
        self.primed.borrow_mut().get_mut(&runtime)?.pop()
    }

    pub(super) fn begin_run(self: &Rc<Self>) -> Running {
        self.running.set(self.running.get() + 1);
        Running(self.clone())
    }

    /// Refills the store whenever the runner is idle; never returns.
    pub(super) async fn keep_filled(&self, ticker: &Ticker) {
        loop {
            match self.lacking() {
                Some((runtime, loaded)) if self.running.get() == 0 => {
                    match self.while_idle(self.prime(runtime, loaded, ticker)).await {
                        Ok(instance) => {
                            self.primed.borrow_mut().entry(runtime).or_default().push(instance);
                        }
                        // Runs still work, from fresh instances, and will say what is wrong.
                        // A full disk may have room again after the next of them.
                        Err(_) => self.idle.notified().await,
                    }
                    // A run that has arrived meanwhile goes first.
                    tokio::task::yield_now().await;
                }
                _ => self.idle.notified().await,
            }
        }
    }

    /// Goes on with `work` only while nothing runs: it gives the thread back at every
    /// tick of the epoch, and a run that arrives has the thread for itself from there on.
    async fn while_idle<F: Future>(&self, work: F) -> F::Output {
        let mut work = pin!(work);
        loop {
            let step = poll_fn(|context| {
                if self.running.get() > 0 {
                    return Poll::Ready(None);
                }
                work.as_mut().poll(context).map(Some)
            });
            match step.await {
                Some(done) => return done,
                None => self.idle.notified().await,
            }
        }
    }

    fn lacking(&self) -> Option<(Runtime, &LoadedRuntime)> {
        let primed = self.primed.borrow();
        let lacks = |runtime| primed.get(runtime).map_or(0, Vec::len) < self.wanted;
        let found = self.runtimes.iter().find(|(runtime, _)| lacks(runtime));
        found.map(|(runtime, loaded)| (*runtime, loaded))
    }

    async fn prime(
        &self,
        runtime: Runtime,
        loaded: &LoadedRuntime,
        ticker: &Ticker,
    ) -> Result<Instance> {
        let _ticking = ticker.tick_while();
        let limits = Limits { fuel: PRIME_FUEL, ..Limits::default() };
        let view = View { pack: &self.prime_folder, limits: &limits };
        let mut instance = loaded.instantiate(view, &self.scratch).await?;
        let entry = (runtime, self.prime_folder.clone(), PRIME_FILE.to_owned());
        let request = envelope::prime_request();
        loaded.prime(&mut instance, Call { entry, request, compiled: &self.compiled }).await?;
        Ok(instance)
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        let running = self.0.running.get() - 1;
        self.0.running.set(running);
        if running == 0 {
            self.0.idle.notify_one();
        }
    }
}
