//! What event streams have in common: how they are sent and when they end early.

use std::convert::Infallible;
use std::future::Future;

use axum::response::sse::{Event, KeepAlive, Sse};
use futures::{FutureExt, Stream, StreamExt, future};

use crate::auth::Bearer;
use crate::state::ApiState;

/// What ends a stream besides its own end and the end of the caller's token.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Subject {
    /// It follows one execution, and a stopping server lets that finish.
    One,
    /// It would go on for ever and hold up a server that stops.
    All,
}

/// Sends `events` for as long as they may be sent.
pub(super) fn respond<S>(
    state: &ApiState,
    caller: &Bearer,
    subject: Subject,
    events: S,
) -> Sse<impl Stream<Item = Result<Event, Infallible>> + Send + use<S>>
where
    S: Stream<Item = Event> + Send + 'static,
{
    let events = events.map(Ok).take_until(cut_off(state, caller, subject));
    Sse::new(events).keep_alive(KeepAlive::default())
}

fn cut_off(
    state: &ApiState,
    caller: &Bearer,
    subject: Subject,
) -> impl Future<Output = ()> + Send + use<> {
    let stopping = state.stopping.clone();
    let left = caller.expires_at.signed_duration_since(state.clock.now());
    let expired = state.clock.sleep(left.to_std().unwrap_or_default());
    let stopped = async move {
        match subject {
            Subject::All => stopping.cancelled().await,
            Subject::One => future::pending().await,
        }
    };
    future::select(Box::pin(stopped), expired).map(drop)
}
