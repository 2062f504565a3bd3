//! Changes of one key take turns.

use std::hash::{BuildHasher, RandomState};

use attune_domain::id::TenantId;
use tokio::sync::{Mutex, MutexGuard};

/// Keys beyond so many share turns.
const LANES: usize = 64;

/// Lets changes of one key on this server come one after the other. What is right does not depend
/// on it (the store refuses a change of an old version), but many that count at once would read
/// and seal in vain, all but one of them each time.
pub(crate) struct Turns {
    lanes: [Mutex<()>; LANES],
    hasher: RandomState,
}

impl Default for Turns {
    fn default() -> Turns {
        Turns { lanes: [const { Mutex::const_new(()) }; LANES], hasher: RandomState::new() }
    }
}

impl Turns {
    pub(crate) async fn take(&self, tenant: TenantId, reference: &str) -> MutexGuard<'_, ()> {
        let hash = self.hasher.hash_one((tenant, reference));
        // Below LANES, so that it fits wherever LANES does.
        let lane = usize::try_from(hash % LANES as u64).unwrap_or_default();
        self.lanes[lane].lock().await
    }
}
