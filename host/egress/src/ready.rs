//! Connections that a guest asked for (`CONNECT`) and has not used yet.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::time::Instant;

use crate::connections::{Counted, Peer};
use crate::dial::Plain;

/// Whoever connects sends something soon.
const KEPT: Duration = Duration::from_secs(10);

/// What is ready to be used, by its peer and by whether its certificate was checked.
#[derive(Clone, Default)]
pub(crate) struct Ready(Arc<Mutex<Shelves>>);

#[derive(Default)]
struct Shelves {
    /// TCP without TLS, which may still become either.
    plain: HashMap<Peer, Vec<(Instant, Plain)>>,
    secured: HashMap<(Peer, bool), Vec<(Instant, Counted)>>,
}

impl Ready {
    pub(crate) fn put_plain(&self, peer: Peer, connection: Plain) {
        self.shelves().plain.entry(peer).or_default().push((Instant::now(), connection));
        self.clear_later();
    }

    pub(crate) fn take_plain(&self, peer: &Peer) -> Option<Plain> {
        self.shelves().plain.get_mut(peer)?.pop().map(|(_, connection)| connection)
    }

    pub(crate) fn put_secured(&self, peer: Peer, insecure: bool, connection: Counted) {
        let mut shelves = self.shelves();
        shelves.secured.entry((peer, insecure)).or_default().push((Instant::now(), connection));
        drop(shelves);
        self.clear_later();
    }

    pub(crate) fn take_secured(&self, peer: &Peer, insecure: bool) -> Option<Counted> {
        let mut shelves = self.shelves();
        let shelf = shelves.secured.get_mut(&(peer.clone(), insecure))?;
        shelf.pop().map(|(_, connection)| connection)
    }

    fn clear_later(&self) {
        let ready = self.clone();
        tokio::spawn(async move {
            tokio::time::sleep(KEPT).await;
            ready.clear(Instant::now());
        });
    }

    fn clear(&self, now: Instant) {
        let mut shelves = self.shelves();
        shelves.plain.retain(|_, shelf| {
            shelf.retain(|(since, _)| *since + KEPT > now);
            !shelf.is_empty()
        });
        shelves.secured.retain(|_, shelf| {
            shelf.retain(|(since, _)| *since + KEPT > now);
            !shelf.is_empty()
        });
    }

    fn shelves(&self) -> MutexGuard<'_, Shelves> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
