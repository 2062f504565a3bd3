//! A guest's requests, as the server has them: each one a task that asks the broker.

use std::collections::HashMap;
use std::pin::Pin;
use std::sync::Arc;

use attune_domain::egress::{Body, Caller, Egress, EgressError};
use bytes::{Bytes, BytesMut};
use futures::stream::Peekable;
use futures::{FutureExt, StreamExt, TryStreamExt, stream};
use http::{HeaderName, HeaderValue, Request};
use tokio::sync::mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel};
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

use super::bound::Bound;
use crate::protocol::{Answer, ExchangeId, RequestHead, RunId, Said, ToRunner};
use crate::window::Window;

/// Bytes of a response that are worth a message of their own.
const ENOUGH: usize = 16 << 10;

/// The exchanges of one run. Dropped, they all end: with the run goes the network.
pub(super) struct Exchanges {
    runner: Arc<Bound>,
    run: RunId,
    caller: Caller,
    egress: Arc<dyn Egress>,
    ears: HashMap<ExchangeId, Ear>,
    tasks: JoinSet<ExchangeId>,
}

/// Of a request's body. If no more come, and there was no end, it is not complete, and must not
/// look as if it were.
enum Piece {
    Bytes(Bytes),
    End,
}

/// What goes on in an exchange is told to these.
struct Ear {
    /// None where the request has no body.
    body: Option<UnboundedSender<Piece>>,
    window: Window,
    dropped: CancellationToken,
}

impl Exchanges {
    pub(super) fn new(
        runner: Arc<Bound>,
        run: RunId,
        caller: Caller,
        egress: Arc<dyn Egress>,
    ) -> Exchanges {
        let (ears, tasks) = (HashMap::new(), JoinSet::new());
        Exchanges { runner, run, caller, egress, ears, tasks }
    }

    /// What the guest said has been counted: it is within its limits.
    pub(super) fn hear(&mut self, exchange: ExchangeId, said: Said, bytes: Bytes) {
        if let Said::Request(head) = said {
            return self.begin(exchange, head);
        }
        let Some(ear) = self.ears.get_mut(&exchange) else { return };
        match said {
            Said::Request(_) => {}
            Said::Body => ear.tell(Piece::Bytes(bytes)),
            Said::Complete => ear.tell(Piece::End),
            Said::Aborted => ear.body = None,
            Said::Taken(bytes) => ear.window.give(bytes),
            Said::Dropped => ear.dropped.cancel(),
        }
    }

    /// Waits until an exchange is over. Never returns while there is none.
    pub(super) async fn clear(&mut self) {
        match self.tasks.join_next().await {
            Some(Ok(exchange)) => {
                self.ears.remove(&exchange);
            }
            Some(Err(error)) => tracing::error!(%error, "an exchange of an action failed"),
            None => std::future::pending().await,
        }
    }

    fn begin(&mut self, exchange: ExchangeId, head: RequestHead) {
        let link = Link { runner: self.runner.clone(), run: self.run, exchange };
        let (window, dropped) = (Window::new(), CancellationToken::new());
        let (sender, receiver) = unbounded_channel();
        let body = head.has_body.then(|| uploaded(receiver, link.clone()));
        let ear = Ear {
            body: head.has_body.then_some(sender),
            window: window.clone(),
            dropped: dropped.clone(),
        };
        self.ears.insert(exchange, ear);
        let (caller, egress) = (self.caller.clone(), self.egress.clone());
        self.tasks.spawn(async move {
            let done = tokio::select! {
                biased;
                () = dropped.cancelled() => Err(EgressError::Incomplete),
                done = carry(&*egress, &caller, head, body, &link, &window) => done,
            };
            link.end(done);
            exchange
        });
    }
}

impl Ear {
    fn tell(&self, piece: Piece) {
        if let Some(body) = &self.body {
            let _nobody_listens = body.send(piece);
        }
    }
}

/// The way back to the guest.
#[derive(Clone)]
struct Link {
    runner: Arc<Bound>,
    run: RunId,
    exchange: ExchangeId,
}

impl Link {
    fn answer(&self, answer: Answer, body: &[u8]) {
        let (run, exchange) = (self.run, self.exchange);
        self.runner.send(&ToRunner::Http { run, exchange, answer }, body);
    }

    /// A piece of the response's body.
    fn send(&self, part: &[u8]) {
        self.runner.http_sent(self.run, self.exchange, part.len());
        self.answer(Answer::Body, part);
    }

    fn taken(&self, bytes: usize) {
        self.runner.http_taken(self.run, self.exchange, bytes);
        self.answer(Answer::Taken(bytes as u64), &[]);
    }

    fn end(&self, done: Result<(), EgressError>) {
        self.runner.http_ended(self.run, self.exchange);
        self.answer(Answer::Ended(done), &[]);
    }
}

/// From the request to the end of its response.
async fn carry(
    egress: &dyn Egress,
    caller: &Caller,
    head: RequestHead,
    body: Option<Body>,
    link: &Link,
    window: &Window,
) -> Result<(), EgressError> {
    let patience = head.patience;
    let request = request(head, body)?;
    let (head, body) = egress.send(caller, request, patience).await?.into_parts();
    let mut body = body.peekable();
    let field = |(name, value): (&HeaderName, &HeaderValue)| {
        (name.as_str().to_owned(), value.as_bytes().to_vec())
    };
    let fields = head.headers.iter().map(field).collect();
    link.answer(Answer::Response { status: head.status.as_u16(), fields }, &[]);
    while let Some(mut piece) = next_piece(&mut body).await? {
        while !piece.is_empty() {
            let part = piece.split_to(window.take(piece.len()).await);
            link.send(&part);
        }
    }
    Ok(())
}

/// The next piece of a body, together with what else has come: a peer may send byte by byte.
async fn next_piece(body: &mut Peekable<Body>) -> Result<Option<Bytes>, EgressError> {
    let Some(first) = body.try_next().await? else { return Ok(None) };
    if first.len() >= ENOUGH {
        return Ok(Some(first));
    }
    let mut piece = BytesMut::from(first);
    while piece.len() < ENOUGH
        && let Some(Some(Ok(more))) = Pin::new(&mut *body).peek().now_or_never()
    {
        piece.extend_from_slice(more);
        // It is there: it has been looked at.
        body.next().await;
    }
    Ok(Some(piece.freeze()))
}

/// A runner may send anything: what is no request is refused here.
fn request(head: RequestHead, body: Option<Body>) -> Result<Request<Option<Body>>, EgressError> {
    let mut request = Request::builder().method(head.method.as_str()).uri(head.uri);
    for (name, value) in head.fields {
        let name = HeaderName::from_bytes(name.as_bytes());
        let value = HeaderValue::from_bytes(&value);
        let (Ok(name), Ok(value)) = (name, value) else {
            return Err(EgressError::InvalidRequest("a field is not valid".to_owned()));
        };
        request = request.header(name, value);
    }
    request.body(body).map_err(|error| EgressError::InvalidRequest(error.to_string()))
}

/// The body that the guest sends; it may send more when some was taken.
fn uploaded(pieces: UnboundedReceiver<Piece>, link: Link) -> Body {
    stream::try_unfold((pieces, link), |(mut pieces, link)| async move {
        match pieces.recv().await {
            Some(Piece::Bytes(bytes)) => {
                link.taken(bytes.len());
                Ok(Some((bytes, (pieces, link))))
            }
            Some(Piece::End) => Ok(None),
            None => Err(EgressError::Incomplete),
        }
    })
    .boxed()
}
