//! Connections that a guest asked for (`CONNECT`) and has not used yet.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::time::Instant;

use crate::connections::Peer;

/// Whoever connects sends something soon.
const KEPT: Duration = Duration::from_secs(10);

/// What is ready to be used, by its peer.
pub(crate) struct Ready<C>(Arc<Mutex<Shelves<C>>>);

type Shelves<C> = HashMap<Peer, Vec<(Instant, C)>>;

impl<C: Send + 'static> Ready<C> {
    pub(crate) fn new() -> Ready<C> {
        Ready(Arc::new(Mutex::new(HashMap::new())))
    }

    pub(crate) fn put(&self, peer: Peer, connection: C) {
        self.shelves().entry(peer).or_default().push((Instant::now(), connection));
        let ready = self.clone();
        tokio::spawn(async move {
            tokio::time::sleep(KEPT).await;
            ready.clear(Instant::now());
        });
    }

    pub(crate) fn has(&self, peer: &Peer) -> bool {
        self.shelves().get(peer).is_some_and(|shelf| !shelf.is_empty())
    }

    /// The one that was put last: its peer has had the least time to close it.
    pub(crate) fn take(&self, peer: &Peer) -> Option<C> {
        self.shelves().get_mut(peer)?.pop().map(|(_, connection)| connection)
    }

    fn clear(&self, now: Instant) {
        self.shelves().retain(|_, shelf| {
            shelf.retain(|(since, _)| *since + KEPT > now);
            !shelf.is_empty()
        });
    }

    fn shelves(&self) -> MutexGuard<'_, Shelves<C>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl<C> Clone for Ready<C> {
    fn clone(&self) -> Ready<C> {
        Ready(self.0.clone())
    }
}

#[cfg(test)]
mod tests {
    use attune_domain::egress::host::Host;

    use super::*;

    #[tokio::test]
    async fn what_nobody_uses_goes() {
        let peer = Peer { tls: true, host: Host::parse("a.test").unwrap(), port: 443 };
        let ready = Ready::new();
        ready.put(peer.clone(), 1);
        ready.clear(Instant::now());
        ready.put(peer.clone(), 2);
        assert_eq!(ready.take(&peer), Some(2));
        ready.clear(Instant::now() + KEPT);
        assert_eq!(ready.take(&peer), None);
    }
}
