//! The system's clock: the real implementation of the [`Clock`] seam.

use std::time::Duration;

use attune_domain::clock::{Clock, Timestamp, to_micros};
use futures::future::BoxFuture;

/// Time as the machine tells it.
pub(crate) struct SystemClock;

impl Clock for SystemClock {
    fn now(&self) -> Timestamp {
        to_micros(chrono::Utc::now())
    }

    fn sleep(&self, duration: Duration) -> BoxFuture<'static, ()> {
        Box::pin(tokio::time::sleep(duration))
    }
}
