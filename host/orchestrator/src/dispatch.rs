//! The queue's loop: a free place takes the oldest requested execution.

use std::sync::Arc;
use std::time::Duration;

use attune_domain::runner::Place;
use attune_domain::store::StoreResult;

use crate::attempt;
use crate::shared::Shared;

/// Most executions taken from the queue in one commit.
const BATCH: usize = 16;
/// The slow poll behind the wake-ups.
const POLL: Duration = Duration::from_secs(5);

/// Runs until the server stops taking work.
pub(crate) async fn run(shared: Arc<Shared>) {
    loop {
        tokio::select! {
            () = shared.stopping.cancelled() => return,
            result = empty_queue(&shared) => if let Err(error) = result {
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

/// Takes work for as long as there is some, a free place first.
async fn empty_queue(shared: &Arc<Shared>) -> StoreResult<()> {
    loop {
        let mut places = vec![shared.runner.reserve().await];
        places.extend(std::iter::from_fn(|| shared.runner.try_reserve()).take(BATCH - 1));
        shared.assume_queue_empty();
        if take(shared, places).await? == 0 {
            return Ok(());
        }
    }
}

/// Claims one execution for each place and starts them; tells how many there were.
async fn take(shared: &Arc<Shared>, places: Vec<Place>) -> StoreResult<usize> {
    // A task of its own: the loop may be stopped while this waits, and what was
    // claimed must be started.
    let task = shared.attempts.spawn(claim_and_start(shared.clone(), places));
    task.await.unwrap_or(Ok(0))
}

async fn claim_and_start(shared: Arc<Shared>, places: Vec<Place>) -> StoreResult<usize> {
    // Looked at from within a task that draining waits for: what is claimed is seen through.
    if shared.stopping.is_cancelled() {
        return Ok(0);
    }
    let Some(holder) = shared.may_claim() else { return Ok(0) };
    let wanted = u32::try_from(places.len()).unwrap_or(u32::MAX);
    let after = shared.served_last();
    let claimed = shared.store.claim(holder, wanted, after, shared.clock.now()).await?;
    if let Some(last) = claimed.last() {
        shared.note_served(last.tenant);
    }
    let taken = claimed.len();
    if taken == places.len() {
        shared.wake_queue();
    }
    for (execution, place) in claimed.into_iter().zip(places) {
        attempt::spawn(&shared, execution, None, place);
    }
    Ok(taken)
}
