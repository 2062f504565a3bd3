//! The runner processes of a sandbox: bounded, replaced when they die, retired for others.

use std::path::PathBuf;
use std::sync::atomic::Ordering;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};
use std::time::Duration;

use attune_domain::id::TenantId;
use tokio::sync::Notify;
use tokio::time::Instant;

use super::bound::Bound;
use super::measure::{self, Count};
use super::policy::{Candidate, Decision, Rules, Situation, decide};
use super::process::Unbound;
use super::starter::{Failing, Starter};
use crate::SandboxError;
use crate::settings::Settings;

/// Tenants that can each have all their runners at once.
const BUSY_TENANTS: usize = 4;
/// Spares that may break while one is being bound, before a run gives up.
const BIND_ATTEMPTS: usize = 3;
/// A runner that dies at its start is not tried again at once.
const BACKOFF: Duration = Duration::from_millis(100);
const MAX_BACKOFF: Duration = Duration::from_secs(10);

/// All runners.
pub(crate) struct Pool {
    settings: Arc<Settings>,
    starter: Starter,
    state: Mutex<State>,
    /// Something happened that a waiting run should look at.
    changed: Notify,
    /// The same for the keeper of spares, who need not look at each run.
    bindings_changed: Notify,
}

#[derive(Default)]
struct State {
    spares: Vec<Unbound>,
    bound: Vec<Arc<Bound>>,
    /// For which tenants a spare is just being bound.
    binding: Vec<TenantId>,
    /// Counts the runs that were given out: tells which runner is unused for longest.
    clock: u64,
    /// While no runner can be started.
    failing: Option<Failing>,
    closed: bool,
}

/// A runner that one run uses.
pub(crate) struct Lease {
    pub(super) runner: Arc<Bound>,
    pool: Arc<Pool>,
}

impl State {
    fn add_spare(&mut self, spare: Unbound) {
        self.failing = None;
        if !self.closed {
            self.spares.push(spare);
        }
    }

    fn could_not_start(&mut self, problem: &SandboxError) {
        self.failing = Some(Failing::again(self.failing.take(), problem, Instant::now()));
    }

    fn count(&self) -> Count {
        let alive = self.bound.iter().filter(|runner| runner.is_alive());
        let (idle, busy): (Vec<_>, Vec<_>) =
            alive.partition(|runner| runner.busy.load(Ordering::Relaxed) == 0);
        let (spare, binding) = (self.spares.len(), self.binding.len());
        Count { spare, binding, idle: idle.len(), busy: busy.len() }
    }
}

/// What the lock-free part of `lease` has to do.
enum Next {
    Use(Arc<Bound>),
    Bind(Box<Unbound>),
    Again,
    Wait,
}

impl Pool {
    /// Compiles what is missing and starts the first spare runner.
    pub(crate) async fn start(settings: Settings) -> Result<Arc<Pool>, SandboxError> {
        let settings = Arc::new(settings);
        let starter = Starter::new(settings.clone()).await?;
        let (changed, bindings_changed) = (Notify::new(), Notify::new());
        let state = Mutex::default();
        let pool = Pool { settings, starter, state, changed, bindings_changed };
        let first = pool.starter.spare().await?;
        pool.state().spares.push(first);
        let pool = Arc::new(pool);
        tokio::spawn(keep_spares(Arc::downgrade(&pool)));
        Ok(pool)
    }

    /// A runner for one run of the tenant; waits while all it may have are full, and for
    /// `Settings::start_patience` while it has none and none can be started.
    pub(crate) async fn lease(self: &Arc<Self>, tenant: TenantId) -> Result<Lease, SandboxError> {
        let (asked_at, mut attempts) = (Instant::now(), 0);
        loop {
            // Listen before looking, so that no change in between is missed.
            let mut changed = std::pin::pin!(self.changed.notified());
            changed.as_mut().enable();
            match self.next(tenant, asked_at)? {
                Next::Use(runner) => return Ok(Lease { runner, pool: self.clone() }),
                Next::Again => {}
                Next::Wait => changed.await,
                Next::Bind(spare) => match self.bind(*spare, tenant).await {
                    Ok(runner) => return Ok(Lease { runner, pool: self.clone() }),
                    Err(SandboxError::Closed) => return Err(SandboxError::Closed),
                    Err(problem) => {
                        tracing::warn!(%problem, "a spare runner could not be bound");
                        attempts += 1;
                        if attempts == BIND_ATTEMPTS {
                            return Err(problem);
                        }
                    }
                },
            }
        }
    }

    /// Whether the last attempt to start a runner has failed, and one is still lacking.
    pub(crate) fn is_failing(&self) -> bool {
        self.state().failing.is_some()
    }

    pub(crate) fn update_gauges(&self) {
        measure::runners(self.state().count());
    }

    /// Ends all runners; later leases are refused.
    pub(crate) fn close(&self) {
        let (spares, bound) = {
            let mut state = self.state();
            state.closed = true;
            (std::mem::take(&mut state.spares), std::mem::take(&mut state.bound))
        };
        drop(spares);
        for runner in bound {
            runner.kill();
        }
        self.announce();
    }

    fn next(&self, tenant: TenantId, asked_at: Instant) -> Result<Next, SandboxError> {
        let mut state = self.state();
        if state.closed {
            return Err(SandboxError::Closed);
        }
        state.bound.retain(|runner| runner.is_alive());
        match self.decide(&state, tenant) {
            Decision::Use(index) => {
                state.clock += 1;
                let runner = state.bound[index].clone();
                runner.last_used.store(state.clock, Ordering::Relaxed);
                runner.busy.fetch_add(1, Ordering::Relaxed);
                Ok(Next::Use(runner))
            }
            Decision::Bind => {
                let Some(spare) = state.spares.pop() else {
                    return self.wait(&state, tenant, asked_at);
                };
                state.binding.push(tenant);
                drop(state);
                self.announce();
                Ok(Next::Bind(Box::new(spare)))
            }
            Decision::Retire(index) => {
                let retired = state.bound.swap_remove(index);
                drop(state);
                retired.kill();
                Ok(Next::Again)
            }
            Decision::Yield(index) => {
                state.bound[index].yielding.store(true, Ordering::Relaxed);
                self.wait(&state, tenant, asked_at)
            }
            Decision::Wait => self.wait(&state, tenant, asked_at),
        }
    }

    /// A run that finds no runner waits, but not for runners that cannot be started.
    fn wait(
        &self,
        state: &State,
        tenant: TenantId,
        asked_at: Instant,
    ) -> Result<Next, SandboxError> {
        let has_one = state.bound.iter().any(|runner| runner.tenant == tenant)
            || state.binding.contains(&tenant);
        if let Some(failing) = state.failing.as_ref().filter(|_| !has_one) {
            failing.give_up(self.settings.start_patience, asked_at, Instant::now())?;
        }
        Ok(Next::Wait)
    }

    fn decide(&self, state: &State, tenant: TenantId) -> Decision {
        let candidates: Vec<_> = state.bound.iter().map(|runner| candidate(runner)).collect();
        decide(Situation {
            tenant,
            bound: &candidates,
            binding_here: state.binding.iter().filter(|other| **other == tenant).count(),
            binding: state.binding.len(),
            spares: state.spares.len(),
            rules: Rules {
                per_tenant: self.settings.runners,
                in_total: self.max_bound(),
                places: self.settings.places_per_runner,
                idle_retire: self.settings.idle_retire,
            },
        })
    }

    async fn bind(
        self: &Arc<Self>,
        mut spare: Unbound,
        tenant: TenantId,
    ) -> Result<Arc<Bound>, SandboxError> {
        // Also when this future is dropped halfway.
        let _binding = Binding { pool: self.clone(), tenant };
        let packs = self.pack_roots(tenant).map_err(SandboxError::Start)?;
        spare.bind(&self.settings, packs).await?;
        let pool = Arc::downgrade(self);
        let died = move || {
            if let Some(pool) = pool.upgrade() {
                pool.state().bound.retain(|runner| runner.is_alive());
                pool.announce();
            }
        };
        let runner = Bound::new(spare, tenant, died);
        runner.busy.fetch_add(1, Ordering::Relaxed);
        self.admit(runner.clone())?;
        Ok(runner)
    }

    /// Adds a runner, unless the pool was closed while it was bound: then nobody else ends it.
    fn admit(&self, runner: Arc<Bound>) -> Result<(), SandboxError> {
        let mut state = self.state();
        if state.closed {
            drop(state);
            runner.kill();
            return Err(SandboxError::Closed);
        }
        state.bound.push(runner);
        Ok(())
    }

    /// The folders whose packs a tenant's runs may read; made if they are not there yet.
    fn pack_roots(&self, tenant: TenantId) -> std::io::Result<Vec<PathBuf>> {
        let mut tenants = vec![tenant, TenantId::SHARED];
        tenants.dedup();
        let roots = tenants.into_iter().map(|tenant| {
            let root = self.settings.packs_dir.join(tenant.to_string());
            std::fs::create_dir_all(&root)?;
            root.canonicalize()
        });
        roots.collect()
    }

    fn max_bound(&self) -> usize {
        self.settings.runners * BUSY_TENANTS
    }

    fn lacks_spares(&self) -> bool {
        let state = self.state();
        let bound = state.bound.len() + state.binding.len();
        // At least one, even if the settings ask for none: without a spare nothing is ever bound.
        !state.closed && bound < self.max_bound() && state.spares.len() < self.settings.spare.max(1)
    }

    /// Runners have come or gone.
    fn announce(&self) {
        self.changed.notify_waiters();
        self.bindings_changed.notify_waiters();
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Keeps the number of spare runners, until the pool is gone.
async fn keep_spares(pool: Weak<Pool>) {
    let mut backoff = BACKOFF;
    while let Some(pool) = pool.upgrade() {
        let mut changed = std::pin::pin!(pool.bindings_changed.notified());
        changed.as_mut().enable();
        if pool.state().closed {
            return;
        }
        if !pool.lacks_spares() {
            pool.state().failing = None;
            changed.await;
            continue;
        }
        match pool.starter.spare().await {
            Ok(spare) => {
                backoff = BACKOFF;
                pool.state().add_spare(spare);
                pool.announce();
            }
            Err(problem) => {
                tracing::error!(%problem, "a runner died at its start; trying again");
                measure::start_failure();
                pool.state().could_not_start(&problem);
                pool.announce();
                tokio::time::sleep(backoff).await;
                backoff = (backoff * 2).min(MAX_BACKOFF);
            }
        }
    }
}

fn candidate(runner: &Bound) -> Candidate {
    let idle_since = *runner.idle_since.lock().unwrap_or_else(PoisonError::into_inner);
    Candidate {
        tenant: runner.tenant,
        busy: runner.busy.load(Ordering::Relaxed),
        yielding: runner.yielding.load(Ordering::Relaxed),
        last_used: runner.last_used.load(Ordering::Relaxed),
        idle_for: idle_since.elapsed(),
    }
}

/// A spare that is being bound counts as a runner of its tenant.
struct Binding {
    pool: Arc<Pool>,
    tenant: TenantId,
}

impl Drop for Binding {
    fn drop(&mut self) {
        let mut state = self.pool.state();
        if let Some(index) = state.binding.iter().position(|tenant| *tenant == self.tenant) {
            state.binding.swap_remove(index);
        }
        drop(state);
        self.pool.announce();
    }
}

impl Drop for Lease {
    fn drop(&mut self) {
        let idle_since = &self.runner.idle_since;
        *idle_since.lock().unwrap_or_else(PoisonError::into_inner) = Instant::now();
        self.runner.busy.fetch_sub(1, Ordering::Relaxed);
        self.pool.changed.notify_waiters();
    }
}
