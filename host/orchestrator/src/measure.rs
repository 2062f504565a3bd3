//! What is measured of the loops. No number tells of one tenant: tenants come in two classes, the
//! installation's own and those it hosts.

use std::time::Duration;

use attune_domain::clock::Timestamp;
use attune_domain::execution::{Execution, Waiting};
use attune_domain::runner::{Lost, RunEnd};
use attune_domain::store::StoreResult;
use metrics::{Unit, counter, describe_counter, describe_gauge, describe_histogram};
use metrics::{gauge, histogram};

use crate::Orchestrator;
use crate::shared::Shared;

const QUEUE_DEPTH: &str = "attune_queue_depth";
const QUEUE_AGE: &str = "attune_queue_age_seconds";
const QUEUE_WAIT: &str = "attune_queue_wait_seconds";
const CLAIM: &str = "attune_claim_seconds";
const RUN: &str = "attune_run_seconds";
const RUNS: &str = "attune_runs";
const PLACES: &str = "attune_run_places";
const LEASES_LOST: &str = "attune_leases_lost_total";
const LEASES_REVOKED: &str = "attune_leases_revoked_total";

/// What the queue's look at the database may take: whoever reads the numbers does not wait for
/// long, least of all when the database is in trouble.
const PATIENCE: Duration = Duration::from_secs(2);

/// Says what the numbers of this room are, and that no lease was lost yet.
pub fn describe_metrics() {
    describe_gauge!(
        QUEUE_DEPTH,
        Unit::Count,
        "Executions that wait for a worker, of the whole installation: all servers on one \
         database tell the same. NaN while the database does not answer."
    );
    describe_gauge!(
        QUEUE_AGE,
        Unit::Seconds,
        "Time since the oldest execution that waits for a worker was asked for, of the whole \
         installation; 0 when none waits. NaN while the database does not answer."
    );
    describe_histogram!(
        QUEUE_WAIT,
        Unit::Seconds,
        "Time from the request of an execution to its claim from the queue by this server. What \
         is started with its request never waits, and what is started again is not in it."
    );
    describe_histogram!(CLAIM, Unit::Seconds, "Time of a look into the queue with its claims.");
    describe_histogram!(
        RUN,
        Unit::Seconds,
        "Time of a run, from when it was given to the sandbox until that had its end. Outcomes: \
         completed, failed (by its exit code), deadline, fuel, memory, output, trap, cancelled, \
         setup (it could not begin), lost (its runner died), released (it had no runner and went \
         back to the queue)."
    );
    describe_gauge!(RUNS, Unit::Count, "Executions that this server runs now.");
    describe_gauge!(PLACES, Unit::Count, "Executions that this server may run at once.");
    describe_counter!(
        LEASES_LOST,
        Unit::Count,
        "Leases of this server that ended without its doing: others took over what it ran."
    );
    describe_counter!(
        LEASES_REVOKED,
        Unit::Count,
        "Leases of others that this server has ended, as they gave no sign of life."
    );
    counter!(LEASES_LOST).increment(0);
    counter!(LEASES_REVOKED).increment(0);
}

/// A claim was made.
pub(crate) fn claim(claimed: &[Execution], took: Duration, now: Timestamp) {
    histogram!(CLAIM).record(took);
    for execution in claimed.iter().filter(|execution| execution.state.starts == 0) {
        histogram!(QUEUE_WAIT).record(since(execution.created, now));
    }
}

/// A run is over.
pub(crate) fn run(end: &RunEnd, took: Duration) {
    histogram!(RUN, "outcome" => outcome(end), "runner" => "wasm").record(took);
}

/// This server has lost its lease.
pub(crate) fn lease_lost() {
    counter!(LEASES_LOST).increment(1);
}

/// This server has ended the lease of another.
pub(crate) fn lease_revoked() {
    counter!(LEASES_REVOKED).increment(1);
}

impl Orchestrator {
    /// Brings up to date what is not counted as it happens, but looked at.
    pub async fn update_gauges(&self) {
        let shared = &self.shared;
        gauge!(RUNS).set(u32::try_from(shared.live.running()).unwrap_or(u32::MAX));
        gauge!(PLACES).set(shared.settings.places);
        let queue = tokio::select! {
            queue = queue(shared) => queue.ok(),
            () = shared.clock.sleep(PATIENCE) => None,
        };
        let (embedded, hosted) = queue.unzip();
        let now = shared.clock.now();
        set_queue("embedded", embedded.as_deref(), now);
        set_queue("hosted", hosted.as_deref(), now);
    }
}

/// What waits of the installation's own tenant, and of those that it hosts.
async fn queue(shared: &Shared) -> StoreResult<(Vec<Waiting>, Vec<Waiting>)> {
    let own = shared.store.embedded_tenant().await?.id;
    let waiting = shared.store.waiting().await?;
    Ok(waiting.into_iter().partition(|waiting| waiting.tenant == own))
}

fn set_queue(class: &'static str, waiting: Option<&[Waiting]>, now: Timestamp) {
    let depth = waiting.map(|waiting| waiting.iter().map(|waiting| waiting.depth).sum::<u32>());
    let age = waiting.map(|waiting| {
        let oldest = waiting.iter().map(|waiting| waiting.since).min();
        oldest.map_or(Duration::ZERO, |oldest| since(oldest, now)).as_secs_f64()
    });
    gauge!(QUEUE_DEPTH, "class" => class).set(depth.map_or(f64::NAN, f64::from));
    gauge!(QUEUE_AGE, "class" => class).set(age.unwrap_or(f64::NAN));
}

/// Zero when the clock of whoever asked for it is ahead.
fn since(asked_for: Timestamp, now: Timestamp) -> Duration {
    (now - asked_for).to_std().unwrap_or_default()
}

fn outcome(end: &RunEnd) -> &'static str {
    match end {
        RunEnd::Exited(0) | RunEnd::Returned(_) => "completed",
        RunEnd::Exited(_) => "failed",
        RunEnd::Limit(hit) => hit.as_str(),
        RunEnd::Trapped(_) => "trap",
        RunEnd::Stopped => "cancelled",
        RunEnd::NotSetUp(_) => "setup",
        RunEnd::Lost(Lost::MaybeStarted) => "lost",
        RunEnd::Lost(Lost::BeforeStart) => "released",
    }
}
