//! How long the server listens to a runner about one run.

use std::time::Duration;

use tokio::time::Instant;

use crate::protocol::OUTPUT_WINDOW;

/// A runner enforces the wall clock itself; one that has not by then is broken.
const GRACE: Duration = Duration::from_secs(5);
/// A timer that is later than this tells of a server that stood still, if only for the last moment
/// of a long time.
const LATE: Duration = Duration::from_millis(100);
/// How long a server that stood still listens for what was said meanwhile.
const CATCH_UP: Duration = Duration::from_secs(1);

/// How long a runner may take for a run, and how much of what it says is taken after that.
pub(super) struct Patience {
    pub(super) until: Instant,
    late: usize,
}

impl Patience {
    pub(super) fn new(started_at: Instant, wall: Duration) -> Patience {
        Patience { until: started_at + wall + GRACE, late: 0 }
    }

    /// Time in which the server did not listen, such as one that waited for the disk.
    pub(super) fn excuse(&mut self, deaf: Duration) {
        self.until += deaf;
    }

    /// Whether the end of patience was noticed so late that the whole server must have stood
    /// still, and what the runner said meanwhile has yet to arrive.
    pub(super) fn excuse_stall(&mut self, now: Instant) -> bool {
        let late = now.saturating_duration_since(self.until);
        if late < LATE {
            return false;
        }
        self.excuse(late + CATCH_UP);
        true
    }

    /// Counts output that is heard only now.
    pub(super) fn hear(&mut self, bytes: usize, now: Instant) {
        if now >= self.until {
            self.late += bytes;
        }
    }

    /// One window of output may have been waiting to be heard; a runner that writes more
    /// than that simply goes on.
    pub(super) fn is_over(&self) -> bool {
        self.late > OUTPUT_WINDOW
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const WALL: Duration = Duration::from_secs(10);

    #[test]
    fn after_its_time_a_runner_is_heard_for_one_window() {
        let started_at = Instant::now();
        let mut patience = Patience::new(started_at, WALL);
        patience.hear(2 * OUTPUT_WINDOW, started_at + WALL);
        patience.hear(OUTPUT_WINDOW, started_at + WALL + GRACE);
        assert!(!patience.is_over());
        patience.hear(1, started_at + WALL + GRACE);
        assert!(patience.is_over());
    }

    #[test]
    fn time_in_which_the_server_did_not_listen_does_not_count() {
        let started_at = Instant::now();
        let mut patience = Patience::new(started_at, WALL);
        patience.excuse(2 * WALL);
        patience.hear(2 * OUTPUT_WINDOW, started_at + 3 * WALL);
        assert!(!patience.is_over());
    }

    #[test]
    fn a_server_that_stood_still_hears_what_was_said_meanwhile() {
        let started_at = Instant::now();
        let mut patience = Patience::new(started_at, WALL);
        let until = patience.until;
        assert!(!patience.excuse_stall(until + LATE / 2));
        assert!(patience.excuse_stall(until + 2 * LATE));
        assert!(patience.until > until + CATCH_UP);
    }
}
