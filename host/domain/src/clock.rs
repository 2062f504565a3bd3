//! Time as a seam: the system's clock in the product, a simulated one in tests.

use std::time::Duration;

use chrono::{DateTime, SubsecRound, Utc};
use futures::future::BoxFuture;

/// A point in time, UTC, in microseconds: what clients can parse (contract, "Transport").
pub type Timestamp = DateTime<Utc>;

/// Tells the time and waits for it.
pub trait Clock: Send + Sync {
    /// Now, cut to microseconds.
    fn now(&self) -> Timestamp;
    /// Resolves when `duration` has passed on this clock.
    fn sleep(&self, duration: Duration) -> BoxFuture<'static, ()>;
}

/// Cuts a time to the microseconds that the store and the wire keep.
pub fn to_micros(time: Timestamp) -> Timestamp {
    time.trunc_subsecs(6)
}
