//! This server's lease: taken at the start, renewed at a steady pace, given back at the end. And
//! a look at the leases of others, at the same pace.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;
use std::time::Duration;

use attune_domain::execution::{Execution, ExecutionStatus};
use attune_domain::id::{ExecutionId, LeaseId};
use attune_domain::store::StoreResult;
use attune_domain::worker::{self, Acquired, Holder, PATIENCE, Pulse, Renewed, Watcher};
use tokio::task::JoinHandle;

use crate::StartError;
use crate::shared::Shared;
use crate::{history, measure, peers, recovery};

/// The pace where nobody watches but clients, who are shown when the last beat was.
const ALONE: Duration = Duration::from_secs(10);

/// Takes the lease of this server's worker. One that an earlier process left is waited out,
/// unless that process is known to be gone.
pub(crate) async fn acquire(shared: &Shared) -> Result<Holder, StartError> {
    let settings = &shared.settings;
    let mut watcher = Watcher::default();
    let mut first = None;
    loop {
        let now = shared.clock.now();
        let name = &settings.worker_name;
        let taken = match shared.store.acquire_lease(name, &settings.home, now).await? {
            Acquired::Granted(holder) => return Ok(holder),
            Acquired::Taken(taken) => taken,
        };
        let gone = !shared.store.is_shared() || taken.home == settings.home;
        if gone || !watcher.look(vec![taken.clone()]).is_empty() {
            if shared.store.revoke_lease(&taken, now).await? {
                history::lease_revoked(taken.holder);
            }
            continue;
        }
        let seen: &Pulse = first.get_or_insert_with(|| {
            tracing::info!(name, "waiting for the lease of an earlier server of this name to end");
            taken.clone()
        });
        if seen.beat != taken.beat {
            return Err(StartError::NameTaken(name.clone()));
        }
        shared.clock.sleep(worker::pace(settings.lease)).await;
    }
}

/// Beats and watches until the server ends.
pub(crate) async fn beat(shared: Arc<Shared>) {
    let pace = if shared.store.is_shared() { worker::pace(shared.settings.lease) } else { ALONE };
    let mut watch = Watch::default();
    let mut failing = false;
    loop {
        let looked = tokio::select! {
            () = shared.clock.sleep(pace) => look(&shared, &mut watch).await,
            // Not a look at others, which has its pace.
            () = shared.beat_now.notified() => keep_lease(&shared).await,
        };
        if shared.has_left() {
            return;
        }
        if let Err(error) = &looked {
            // Nobody's lease ends for want of a database.
            watch.watcher.forget();
            if !failing {
                let error = error as &dyn std::error::Error;
                tracing::warn!(error, "the lease cannot be renewed, the database does not answer");
            }
        } else if failing {
            tracing::info!("the lease is renewed again");
        }
        failing = looked.is_err();
    }
}

async fn look(shared: &Arc<Shared>, watch: &mut Watch) -> StoreResult<()> {
    keep_lease(shared).await?;
    if let Some(holder) = shared.holder() {
        let held = shared.store.held_under(holder.lease).await?;
        stop_cancelled(shared, &held);
        watch.own(shared, held);
    }
    if shared.store.is_shared() {
        watch.others(shared).await?;
    }
    Ok(())
}

async fn keep_lease(shared: &Shared) -> StoreResult<()> {
    if !shared.settings.runs() {
        return Ok(());
    }
    let now = shared.clock.now();
    if let Some(holder) = shared.holder() {
        let capacity = shared.settings.capacity();
        match shared.store.renew_lease(holder.lease, capacity, now).await? {
            Renewed::Held { cordoned } => {
                shared.set_cordoned(cordoned);
                return Ok(());
            }
            // Given back meanwhile: the server is ending.
            Renewed::Lost if shared.holder() != Some(holder) => return Ok(()),
            Renewed::Lost => lose(shared, holder),
        }
    }
    if shared.stopping.is_cancelled() {
        return Ok(());
    }
    let (name, home) = (&shared.settings.worker_name, &shared.settings.home);
    match shared.store.acquire_lease(name, home, now).await? {
        Acquired::Granted(holder) => {
            shared.hold(Some(holder));
            shared.wake_queue();
        }
        Acquired::Taken(_) => {
            tracing::error!(
                name,
                "another server runs under the name of this one: no work is taken"
            );
        }
    }
    Ok(())
}

/// Others have settled what was held here, or will: what still runs is moot.
fn lose(shared: &Shared, holder: Holder) {
    history::lease_lost(holder);
    measure::lease_lost();
    tracing::warn!("the lease was not renewed in time, and others took over what ran here");
    shared.hold(None);
    shared.live.stop_all();
}

/// Stops runs whose cancel was asked of another server, if that could not be told.
fn stop_cancelled(shared: &Shared, held: &[Execution]) {
    for execution in held {
        if execution.state.status == ExecutionStatus::Canceling {
            // One that is not noted yet is told after the next look.
            shared.live.stop_noted(execution.id);
        }
    }
}

/// What is known of the leases of others, and of what is held here.
#[derive(Default)]
struct Watch {
    watcher: Watcher,
    live: HashSet<LeaseId>,
    settling: Option<JoinHandle<()>>,
    unattended: HashMap<ExecutionId, Unattended>,
}

/// An execution that is held here, and that nobody here sees through.
#[derive(Clone, Copy)]
struct Unattended {
    version: i64,
    looks: u32,
    /// Takings that had begun when it was first seen: it can be of no other.
    takings: u64,
}

impl Watch {
    /// Settles what is held here and was not seen through by anybody for as long as a lease.
    fn own(&mut self, shared: &Arc<Shared>, held: Vec<Execution>) {
        let patience = if shared.store.is_shared() { PATIENCE } else { 1 };
        let ids = held.iter().map(|execution| execution.id).collect();
        shared.attendance.forget_failed_but(&ids);
        let before = std::mem::take(&mut self.unattended);
        for execution in held {
            let (id, version) = (execution.id, execution.state.version);
            if shared.attendance.is_attended(id) {
                continue;
            }
            let seen = match before.get(&id) {
                Some(seen) if seen.version == version => {
                    Unattended { looks: seen.looks + 1, ..*seen }
                }
                _ => Unattended { version, looks: 0, takings: shared.attendance.takings() },
            };
            self.unattended.insert(id, seen);
            // Once, or again after as long a time; and not while somebody may still hear that it
            // was given to them.
            let is_time = seen.looks > 0 && seen.looks % patience == 0;
            if is_time && shared.attendance.are_over(seen.takings) {
                tokio::spawn(settle_unattended(shared.clone(), execution));
            }
        }
    }

    async fn others(&mut self, shared: &Arc<Shared>) -> StoreResult<()> {
        let pulses = shared.store.pulses().await?;
        let live: HashSet<_> = pulses.iter().map(|pulse| pulse.holder.lease).collect();
        // Whoever is gone may have gone between a commit and telling of it.
        if !self.live.is_subset(&live) {
            peers::missed(shared);
        }
        self.live = live;
        let expired = self.watcher.look(pulses);
        if shared.settings.watches {
            for pulse in expired {
                if shared.store.revoke_lease(&pulse, shared.clock.now()).await? {
                    history::lease_revoked(pulse.holder);
                    measure::lease_revoked();
                    let name = &pulse.name;
                    tracing::warn!(name, "a server gave no sign of life: its lease has ended");
                }
            }
            // Apart from the beat: a row that somebody has locked must not cost this server its
            // lease.
            if self.settling.as_ref().is_none_or(JoinHandle::is_finished) {
                self.settling = Some(tokio::spawn(settle(shared.clone())));
            }
        }
        Ok(())
    }
}

async fn settle_unattended(shared: Arc<Shared>, execution: Execution) {
    if let Err(error) = recovery::settle_unattended(&shared, execution).await {
        let error = &error as &dyn std::error::Error;
        tracing::debug!(error, "what nobody sees through is settled after a later look");
    }
}

async fn settle(shared: Arc<Shared>) {
    if let Err(error) = recovery::settle_orphans(&shared).await {
        let error = &error as &dyn std::error::Error;
        tracing::debug!(error, "what was lost is settled after a later look");
    }
}
