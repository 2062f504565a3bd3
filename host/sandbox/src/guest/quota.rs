//! The arithmetic of a scratch directory: bytes and entries.
//!
//! Counts what was let through, so it can only err on the side of refusing:
//! the space of a file that was removed while open is not given back.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use attune_domain::limits::Limits;

/// Listings of directories that may be open at once: each holds all its entries in the host's
/// memory, some 3 MB of the fullest scratch directory.
const LISTINGS: u64 = 16;

/// What one run may still take of its scratch directory.
pub(super) struct Quota {
    pub(super) space: Space,
    entries: Count,
    listings: Count,
    used: bool,
}

impl Quota {
    pub(super) fn new(limits: &Limits) -> Quota {
        Quota {
            space: Space::new(limits.scratch_bytes),
            entries: Count { now: 0, limit: limits.scratch_entries },
            listings: Count { now: 0, limit: LISTINGS },
            used: false,
        }
    }

    /// A new file or folder; false if there may be no more.
    pub(super) fn add_entry(&mut self) -> bool {
        self.used = true;
        self.entries.add()
    }

    /// A file that the host puts there; it counts, and is never refused.
    pub(super) fn add_given(&mut self, bytes: u64) {
        self.add_entry();
        self.space.take(bytes);
    }

    pub(super) fn remove_entry(&mut self) {
        self.entries.remove();
    }

    /// False if no more listings may be open.
    pub(super) fn open_listing(&mut self) -> bool {
        self.listings.add()
    }

    pub(super) fn close_listing(&mut self) {
        self.listings.remove();
    }

    /// Whether there ever was an entry.
    pub(super) fn was_used(&self) -> bool {
        self.used
    }
}

/// A number of things with an upper limit.
struct Count {
    now: u64,
    limit: u64,
}

impl Count {
    fn add(&mut self) -> bool {
        let fits = self.now < self.limit;
        self.now += u64::from(fits);
        fits
    }

    fn remove(&mut self) {
        self.now = self.now.saturating_sub(1);
    }
}

/// Bytes of all files; shared with the streams that write them.
#[derive(Clone)]
pub(super) struct Space {
    used: Arc<AtomicU64>,
    limit: u64,
}

impl Space {
    fn new(limit: u64) -> Space {
        Space { used: Arc::default(), limit }
    }

    /// Takes space for a file to grow; false, and takes none, if there is not enough.
    pub(super) fn take(&self, bytes: u64) -> bool {
        let taken = self.used.load(Ordering::Relaxed).saturating_add(bytes);
        let fits = taken <= self.limit || bytes == 0;
        if fits {
            self.used.store(taken, Ordering::Relaxed);
        }
        fits
    }

    pub(super) fn give_back(&self, bytes: u64) {
        let used = self.used.load(Ordering::Relaxed);
        self.used.store(used.saturating_sub(bytes), Ordering::Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn space_is_taken_and_given_back() {
        let space = Space::new(10);
        assert!(space.take(8));
        assert!(!space.take(3));
        assert!(space.take(2));
        space.give_back(5);
        assert!(space.take(5));
        assert!(!space.take(u64::MAX));
    }

    #[test]
    fn entries_are_counted() {
        let limits = Limits { scratch_entries: 1, ..Limits::default() };
        let mut quota = Quota::new(&limits);
        assert!(!quota.was_used());
        assert!(quota.add_entry() && !quota.add_entry());
        quota.remove_entry();
        assert!(quota.add_entry() && quota.was_used());
    }
}
