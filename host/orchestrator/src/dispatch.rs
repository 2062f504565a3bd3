//! The queue's loop: a free place takes the oldest requested execution.

use std::sync::Arc;
use std::time::{Duration, Instant};

use attune_domain::execution::ExecutionStatus;
use attune_domain::id::TenantId;
use attune_domain::runner::Place;
use attune_domain::store::StoreResult;

use crate::shared::Shared;
use crate::{attempt, measure};

/// Most executions taken from the queue in one commit.
const BATCH: usize = 16;
/// The slow poll behind the wake-ups.
const POLL: Duration = Duration::from_secs(5);

/// Runs until the server stops taking work.
pub(crate) async fn run(shared: Arc<Shared>) {
    let mut served = None;
    loop {
        tokio::select! {
            () = shared.stopping.cancelled() => return,
            result = empty_queue(&shared, &mut served) => if let Err(error) = result {
                let error = &error as &dyn std::error::Error;
                tracing::warn!(error, "cannot take work from the queue; trying again");
            },
        }
        tokio::select! {
            () = shared.stopping.cancelled() => return,
            () = shared.queue_woken() => {}
            () = shared.clock.sleep(POLL) => {}
        }
    }
}

/// Takes work for as long as there is some, a free place first. `served` is the tenant whose turn
/// was last.
async fn empty_queue(shared: &Arc<Shared>, served: &mut Option<TenantId>) -> StoreResult<()> {
    loop {
        let mut places = vec![shared.runner.reserve().await];
        places.extend(std::iter::from_fn(|| shared.runner.try_reserve()).take(BATCH - 1));
        shared.assume_queue_empty();
        match take(shared, places, *served).await? {
            Some(last) => *served = Some(last),
            None => return Ok(()),
        }
    }
}

/// Claims one execution for each place and starts them; tells whose was the last, if there was any.
async fn take(
    shared: &Arc<Shared>,
    places: Vec<Place>,
    served: Option<TenantId>,
) -> StoreResult<Option<TenantId>> {
    // A task of its own: the loop may be stopped while this waits, and what was
    // claimed must be started.
    let task = shared.attempts.spawn(claim_and_start(shared.clone(), places, served));
    task.await.unwrap_or(Ok(None))
}

async fn claim_and_start(
    shared: Arc<Shared>,
    places: Vec<Place>,
    served: Option<TenantId>,
) -> StoreResult<Option<TenantId>> {
    // Looked at from within a task that draining waits for: what is claimed is seen through.
    if shared.stopping.is_cancelled() {
        return Ok(None);
    }
    let Some(holder) = shared.may_claim() else { return Ok(None) };
    let wanted = u32::try_from(places.len()).unwrap_or(u32::MAX);
    let _taking = shared.attendance.taking();
    let (began, now) = (Instant::now(), shared.clock.now());
    let claimed = shared.store.claim(holder, wanted, served, now).await?;
    measure::claim(&claimed, began.elapsed(), now);
    let last = claimed.last().map(|execution| execution.tenant);
    if claimed.len() == places.len() {
        shared.wake_queue();
    }
    for (execution, place) in claimed.into_iter().zip(places) {
        let execution = Arc::new(execution);
        shared.announce(
            &execution,
            Some(ExecutionStatus::Requested),
            &[ExecutionStatus::Scheduled],
        );
        attempt::spawn(&shared, Arc::unwrap_or_clone(execution), None, place);
    }
    Ok(last)
}
