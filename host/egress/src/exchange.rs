//! One request and its response: bodies in pieces, counted and watched.

use std::pin::pin;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use attune_domain::egress::{Body, EgressError, HttpLimits, Patience};
use bytes::Bytes;
use futures::{FutureExt, StreamExt, TryStreamExt, stream};
use http::{Request, Response, StatusCode, header};
use http_body_util::{BodyExt, Empty, StreamBody};
use hyper::body::{Frame, Incoming};
use tokio::time::{Instant, sleep_until};

use crate::clients::{Client, Outgoing};
use crate::failure;
use crate::line::InUse;
use crate::request::drop_of_the_connection;

/// How an exchange is bounded.
pub(crate) struct Exchange {
    pub(crate) limits: HttpLimits,
    pub(crate) idle: Duration,
    pub(crate) patience: Patience,
}

impl Exchange {
    /// Gives the response as soon as its head is there.
    pub(crate) async fn run(
        self,
        client: &Client,
        request: Request<Option<Body>>,
    ) -> Result<Response<Body>, EgressError> {
        let moved = Moved::now();
        let limit = self.limits.request_bytes;
        let copy = copy(&request);
        let request = request.map(|body| outgoing(body, limit, moved.clone()));
        let patience = self.within(self.patience.first_byte);
        let mut head = await_head(client, request, moved.clone(), patience).await;
        if let (Err(Failed { closed_old_line: true, .. }), Some(copy)) = (&head, copy) {
            let request = copy.map(|body| outgoing(body, limit, moved.clone()));
            head = await_head(client, request, moved, patience).await;
        }
        let (line, mut response) = head.map_err(|failed| failed.error)?;
        if response.status() == StatusCode::SWITCHING_PROTOCOLS || is_ambiguous(&response) {
            return Err(EgressError::Protocol);
        }
        let limit = self.limits.response_bytes;
        let announced = response.headers().get(header::CONTENT_LENGTH);
        let announced = announced.and_then(|length| length.to_str().ok()?.parse::<u64>().ok());
        // A HEAD's length is that of a body which does not come.
        if announced.is_some_and(|length| length > limit) && !ends_here(&response) {
            return Err(EgressError::ResponseTooLarge(limit));
        }
        drop_of_the_connection(response.headers_mut());
        let patience = self.within(self.patience.between_bytes);
        let reading = |body| Reading { body, line, left: limit, limit, patience };
        Ok(response.map(|body| incoming(reading(body))))
    }

    fn within(&self, patience: Option<Duration>) -> Duration {
        patience.map_or(self.idle, |patience| patience.min(self.idle))
    }
}

/// What can be sent again without harm, if the line turns out to be closed (RFC 9112, 9.5).
fn copy(request: &Request<Option<Body>>) -> Option<Request<Option<Body>>> {
    let is_harmless = request.method().is_safe() && request.body().is_none();
    is_harmless.then(|| {
        let mut copy = Request::new(None);
        *copy.method_mut() = request.method().clone();
        *copy.uri_mut() = request.uri().clone();
        *copy.headers_mut() = request.headers().clone();
        copy
    })
}

/// Why there is no head.
struct Failed {
    error: EgressError,
    /// It may only have been the end of a line that was used before.
    closed_old_line: bool,
}

/// Waits for the head of a response, and for the line that it comes on.
async fn await_head(
    client: &Client,
    request: Request<Outgoing>,
    moved: Moved,
    patience: Duration,
) -> Result<(Option<InUse>, Response<Incoming>), Failed> {
    let (line, response) = client.request(request);
    let (mut line, mut response) = (pin!(line.fuse()), pin!(response));
    let mut quiet = pin!(moved.nothing_for(patience));
    let mut on: Option<InUse> = None;
    let error = loop {
        tokio::select! {
            // Known before the response: whoever has a line is to be counted.
            biased;
            line = &mut line => on = line,
            response = &mut response => match response {
                Ok(response) => return Ok((on, response)),
                Err(error) => break error,
            },
            () = &mut quiet => break EgressError::ResponseTimeout,
        }
    };
    if let Some(line) = &on {
        line.give_up();
    }
    let closed_old_line = error == EgressError::Incomplete && on.is_some_and(|line| line.is_old);
    Err(Failed { error, closed_old_line })
}

/// Whether others might see the end of it elsewhere (RFC 9112, 6.3).
fn is_ambiguous(response: &Response<Incoming>) -> bool {
    let fields = response.headers();
    fields.contains_key(header::TRANSFER_ENCODING) && fields.contains_key(header::CONTENT_LENGTH)
}

fn ends_here(response: &Response<Incoming>) -> bool {
    hyper::body::Body::is_end_stream(response.body())
}

/// When something last moved in an exchange.
#[derive(Clone)]
struct Moved(Arc<Mutex<Instant>>);

impl Moved {
    fn now() -> Moved {
        Moved(Arc::new(Mutex::new(Instant::now())))
    }

    fn again(&self) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = Instant::now();
    }

    async fn nothing_for(&self, patience: Duration) {
        loop {
            let until = *self.0.lock().unwrap_or_else(PoisonError::into_inner) + patience;
            if until <= Instant::now() {
                return;
            }
            sleep_until(until).await;
        }
    }
}

/// No body at all.
pub(crate) fn nothing() -> Body {
    stream::empty().boxed()
}

fn outgoing(body: Option<Body>, limit: u64, moved: Moved) -> Outgoing {
    let Some(body) = body else {
        return Empty::new().map_err(|never| match never {}).boxed_unsync();
    };
    let mut left = limit;
    let frames = body.and_then(move |bytes| {
        moved.again();
        let counted = left.checked_sub(bytes.len() as u64);
        left = counted.unwrap_or(0);
        let frame = counted.map(|_| Frame::data(bytes));
        futures::future::ready(frame.ok_or(EgressError::RequestTooLarge(limit)))
    });
    StreamBody::new(frames).boxed_unsync()
}

fn incoming(reading: Reading) -> Body {
    stream::try_unfold(reading, |mut reading| async move {
        Ok(reading.next().await?.map(|bytes| (bytes, reading)))
    })
    .boxed()
}

/// A response's body that is being read.
struct Reading {
    body: Incoming,
    line: Option<InUse>,
    left: u64,
    limit: u64,
    patience: Duration,
}

impl Reading {
    /// The next piece. Trailers are left behind: no guest of ours can ask for them.
    async fn next(&mut self) -> Result<Option<Bytes>, EgressError> {
        loop {
            let frame = tokio::time::timeout(self.patience, self.body.frame()).await;
            let frame = match frame {
                Ok(Some(Ok(frame))) => frame,
                Ok(None) => return Ok(None),
                Ok(Some(Err(error))) => return Err(self.give_up(failure::of_exchange(&error))),
                Err(_) => return Err(self.give_up(EgressError::IdleTimeout)),
            };
            let Ok(bytes) = frame.into_data() else { continue };
            if bytes.is_empty() {
                continue;
            }
            let left = self.left.checked_sub(bytes.len() as u64);
            self.left = left.ok_or(EgressError::ResponseTooLarge(self.limit))?;
            return Ok(Some(bytes));
        }
    }

    fn give_up(&self, error: EgressError) -> EgressError {
        if let Some(line) = &self.line {
            line.give_up();
        }
        error
    }
}
