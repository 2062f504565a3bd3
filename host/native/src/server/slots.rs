//! Who each run is outside of its user namespace, one run at a time.

use std::collections::BTreeSet;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use super::launchers::Identity;
use crate::protocol::Ids;

/// Gives the smallest number that no run has.
#[derive(Clone)]
pub(super) struct Slots(Arc<Shared>);

struct Shared {
    identity: Identity,
    taken: Mutex<BTreeSet<u32>>,
}

/// A number, until nothing of the run is alive.
pub(super) struct Slot {
    number: u32,
    shared: Arc<Shared>,
}

impl Slots {
    pub(super) fn new(identity: Identity) -> Slots {
        Slots(Arc::new(Shared { identity, taken: Mutex::default() }))
    }

    pub(super) fn take(&self) -> Slot {
        let mut taken = self.0.taken();
        let number = (0..u32::MAX).find(|number| !taken.contains(number)).unwrap_or(u32::MAX);
        taken.insert(number);
        Slot { number, shared: self.0.clone() }
    }
}

impl Slot {
    /// The outer user and group.
    pub(super) fn ids(&self) -> Ids {
        self.shared.identity.of_run(self.number)
    }
}

impl Drop for Slot {
    fn drop(&mut self) {
        self.shared.taken().remove(&self.number);
    }
}

impl Shared {
    fn taken(&self) -> MutexGuard<'_, BTreeSet<u32>> {
        self.taken.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn runs_that_go_on_at_a_time_differ_and_numbers_come_back() {
        let slots = Slots::new(Identity::Root { first: 64_000 });
        let (first, second) = (slots.take(), slots.take());
        assert_eq!((first.ids().uid, second.ids().uid), (64_000, 64_001));
        drop(first);
        assert_eq!(slots.take().ids().uid, 64_000);
    }
}
