//! Keys that have expired are deleted. Nobody sees them from the moment on when they expire; this
//! is only so that what was to be kept for a while is not kept for good.

use std::error::Error;
use std::sync::Arc;
use std::time::Duration;

use attune_domain::store::StoreResult;

use crate::shared::Shared;

/// Keys that one commit deletes.
const BATCH: u32 = 1000;
/// The longest time to the next look: what was stored meanwhile may expire earlier than all else.
const PACE: Duration = Duration::from_mins(1);
/// The shortest, so that keys which expire one after the other share commits.
const BREATH: Duration = Duration::from_secs(1);

/// Looks when the next key expires, until the server stops.
pub(crate) async fn sweep(shared: Arc<Shared>) {
    loop {
        let pause = look(&shared).await.unwrap_or_else(|error| {
            let error = &error as &dyn Error;
            tracing::debug!(error, "expired keys are deleted after a later look");
            PACE
        });
        tokio::select! {
            () = shared.clock.sleep(pause) => {}
            () = shared.stopping.cancelled() => return,
        }
    }
}

/// Deletes what has expired; tells how long the next look may wait.
async fn look(shared: &Shared) -> StoreResult<Duration> {
    loop {
        let now = shared.clock.now();
        let Some(next) = shared.store.next_key_expiry().await? else { return Ok(PACE) };
        if next > now {
            let left = (next - now).to_std().unwrap_or(PACE);
            return Ok(left.clamp(BREATH, PACE));
        }
        let deleted = shared.store.sweep_keys(now, BATCH).await?;
        tracing::debug!(deleted, "keys have expired");
    }
}
