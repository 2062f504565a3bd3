//! What event streams have in common: how they are sent and when they end early.

use std::convert::Infallible;
use std::future::Future;

use axum::response::sse::{Event, KeepAlive, Sse};
use futures::{FutureExt, Stream, StreamExt, future};

use crate::auth::Bearer;
use crate::state::ApiState;

/// Sends `events` until they end, the caller's token expires or the server stops.
pub(super) fn respond<S>(
    state: &ApiState,
    caller: &Bearer,
    events: S,
) -> Sse<impl Stream<Item = Result<Event, Infallible>> + Send + use<S>>
where
    S: Stream<Item = Event> + Send + 'static,
{
    let events = events.map(Ok).take_until(cut_off(state, caller));
    Sse::new(events).keep_alive(KeepAlive::default())
}

fn cut_off(state: &ApiState, caller: &Bearer) -> impl Future<Output = ()> + Send + use<> {
    let stopping = state.stopping.clone().cancelled_owned();
    let left = caller.expires_at.signed_duration_since(state.clock.now());
    let expired = state.clock.sleep(left.to_std().unwrap_or_default());
    future::select(Box::pin(stopping), expired).map(drop)
}
