//! The line that an exchange is on: a connection, which others may share.
//!
//! A peer that lets an exchange time out, and goes on sending what nobody asked for, would be
//! listened to for as long as its connection is kept. So nobody uses such a line again, and
//! whoever is the last to use it cuts it.
//!
//! And a peer may close a line that it has served on at the very moment when somebody uses it
//! again: that is nobody's fault, and tells nothing of the peer.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

use http::Extensions;
use hyper_util::client::legacy::connect::CaptureConnection;
use tokio_util::sync::CancellationToken;

/// One for each connection; goes with it as an extra of hyper's.
#[derive(Clone, Default)]
pub(crate) struct Line(Arc<State>);

#[derive(Default)]
struct State {
    users: AtomicUsize,
    was_used: AtomicBool,
    given_up: AtomicBool,
    cut: CancellationToken,
}

impl Line {
    /// Resolves when the connection is to end.
    pub(crate) fn cut(&self) -> CancellationToken {
        self.0.cut.clone()
    }
}

/// An exchange's use of its line.
pub(crate) struct InUse {
    line: Line,
    captured: CaptureConnection,
    /// Others have used it before.
    pub(crate) is_old: bool,
}

impl InUse {
    /// Waits until the exchange has a connection.
    pub(crate) async fn of(mut captured: CaptureConnection) -> Option<InUse> {
        let mut extras = Extensions::new();
        if let Some(connected) = &*captured.wait_for_connection_metadata().await {
            connected.get_extras(&mut extras);
        }
        let line = extras.remove::<Line>()?;
        line.0.users.fetch_add(1, Ordering::SeqCst);
        let is_old = line.0.was_used.swap(true, Ordering::SeqCst);
        Some(InUse { line, captured, is_old })
    }

    /// The peer cannot be relied on.
    pub(crate) fn give_up(&self) {
        if let Some(connected) = &*self.captured.connection_metadata() {
            connected.poison();
        }
        self.line.0.given_up.store(true, Ordering::SeqCst);
    }
}

impl Drop for InUse {
    fn drop(&mut self) {
        let state = &self.line.0;
        let was_last = state.users.fetch_sub(1, Ordering::SeqCst) == 1;
        if was_last && state.given_up.load(Ordering::SeqCst) {
            state.cut.cancel();
        }
    }
}
