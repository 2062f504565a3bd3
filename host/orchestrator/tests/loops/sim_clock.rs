//! A clock that stands still until a test moves it.

use std::time::Duration;

use attune_domain::clock::{Clock, Timestamp};
use chrono::DateTime;
use futures::future::BoxFuture;
use tokio::sync::watch;

pub(crate) struct SimClock {
    now: watch::Sender<Timestamp>,
}

impl SimClock {
    pub(crate) fn new() -> SimClock {
        let start = DateTime::from_timestamp(1_700_000_000, 0).unwrap();
        SimClock { now: watch::Sender::new(start) }
    }

    /// Moves the time on and wakes those whose wait is over.
    pub(crate) fn advance(&self, by: Duration) {
        self.now.send_modify(|now| *now += by);
    }
}

impl Clock for SimClock {
    fn now(&self) -> Timestamp {
        *self.now.borrow()
    }

    fn sleep(&self, duration: Duration) -> BoxFuture<'static, ()> {
        let until = self.now() + duration;
        let mut now = self.now.subscribe();
        Box::pin(async move {
            // An error means that the clock is gone, and with it the test.
            let _ = now.wait_for(|now| *now >= until).await;
        })
    }
}
