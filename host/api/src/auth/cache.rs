//! Principals of the last second, so that a busy caller costs no reads.
//!
//! A revoked token or a withdrawn grant is therefore noticed within a second; a
//! change of password at once.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use attune_domain::access::Principal;
use attune_domain::clock::Timestamp;
use attune_domain::id::IdentityId;
use chrono::TimeDelta;

/// How long an entry is believed.
const FRESH: TimeDelta = TimeDelta::seconds(1);
/// Entries kept; beyond it the stale ones go, then all.
const MOST: usize = 4096;

/// By token id.
#[derive(Default)]
pub(crate) struct PrincipalCache {
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    entries: HashMap<String, Entry>,
    /// Counts the forgettings, so that what was read before one is not put after it.
    forgettings: u64,
}

struct Entry {
    principal: Arc<Principal>,
    read_at: Timestamp,
}

/// Taken before a principal is read from the store.
#[derive(Clone, Copy)]
pub(crate) struct Ticket(u64);

impl PrincipalCache {
    pub(crate) fn get(&self, token_id: &str, now: Timestamp) -> Option<Arc<Principal>> {
        let state = self.lock();
        let entry = state.entries.get(token_id)?;
        is_fresh(entry, now).then(|| Arc::clone(&entry.principal))
    }

    pub(crate) fn ticket(&self) -> Ticket {
        Ticket(self.lock().forgettings)
    }

    pub(crate) fn put(
        &self,
        ticket: Ticket,
        token_id: String,
        principal: Arc<Principal>,
        now: Timestamp,
    ) {
        let mut state = self.lock();
        if state.forgettings != ticket.0 {
            return;
        }
        if state.entries.len() >= MOST {
            state.entries.retain(|_, entry| is_fresh(entry, now));
        }
        if state.entries.len() >= MOST {
            state.entries.clear();
        }
        state.entries.insert(token_id, Entry { principal, read_at: now });
    }

    /// Forgets an identity whose tokens were just revoked.
    pub(crate) fn forget(&self, identity: IdentityId) {
        let mut state = self.lock();
        state.forgettings += 1;
        state.entries.retain(|_, entry| entry.principal.identity() != identity);
    }

    /// The map is whole between any two statements, so a panic elsewhere does not spoil it.
    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn is_fresh(entry: &Entry, now: Timestamp) -> bool {
    let age = now.signed_duration_since(entry.read_at);
    age >= TimeDelta::zero() && age < FRESH
}

#[cfg(test)]
mod tests {
    use attune_domain::id::TenantId;
    use attune_domain::identity::{Identity, TokenKind};
    use chrono::DateTime;
    use serde_json::json;

    use super::*;

    fn at(millis: i64) -> Timestamp {
        DateTime::from_timestamp_millis(millis).unwrap()
    }

    fn principal(id: i64) -> Arc<Principal> {
        let identity = Identity {
            id: IdentityId(id),
            tenant: TenantId(1),
            login: "ada".to_owned(),
            display_name: None,
            password_hash: None,
            frozen: false,
            attributes: json!({}),
            created: at(0),
            updated: at(0),
        };
        Arc::new(Principal::authenticated(&identity, TokenKind::Access, Vec::new()))
    }

    #[test]
    fn an_entry_lives_for_a_second() {
        let cache = PrincipalCache::default();
        cache.put(cache.ticket(), "t".to_owned(), principal(1), at(5000));
        assert!(cache.get("t", at(5999)).is_some());
        assert!(cache.get("t", at(6000)).is_none());
        assert!(cache.get("t", at(4999)).is_none(), "a clock that went back proves nothing");
        assert!(cache.get("u", at(5000)).is_none());
    }

    #[test]
    fn a_forgotten_identity_does_not_come_back_from_an_older_read() {
        let cache = PrincipalCache::default();
        cache.put(cache.ticket(), "t".to_owned(), principal(1), at(0));
        cache.put(cache.ticket(), "u".to_owned(), principal(2), at(0));
        let before = cache.ticket();
        cache.forget(IdentityId(1));
        cache.put(before, "t".to_owned(), principal(1), at(0));
        assert!(cache.get("t", at(1)).is_none());
        assert!(cache.get("u", at(1)).is_some());
    }

    #[test]
    fn the_cache_is_bounded() {
        let cache = PrincipalCache::default();
        for number in 0..=MOST {
            cache.put(cache.ticket(), number.to_string(), principal(1), at(0));
        }
        assert!(cache.lock().entries.len() <= MOST);
        assert!(cache.get(&MOST.to_string(), at(0)).is_some());
    }
}
