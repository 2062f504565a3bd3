//! The requests of one run, on their way to the server that sends them.
//!
//! The runner decides nothing here but how many there are at once. It has no network: what a
//! guest asks for goes to the server, which looks at the run's grants.

use std::collections::HashMap;
use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, ready};

use attune_domain::egress::{EgressError, Patience};
use bytes::Bytes;
use http::{HeaderMap, HeaderName, HeaderValue, Request, Response};
use http_body_util::BodyExt;
use http_body_util::combinators::UnsyncBoxBody;
use tokio::sync::mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel};
use wasmtime_wasi::runtime::{AbortOnDropJoinHandle, spawn};
use wasmtime_wasi_http::{Error, RequestOptions, WasiBody};

use super::outbox::Outbox;
use crate::protocol::{
    Answer, ExchangeId, FieldList, FromRunner, MAX_HEAD, RequestHead, RunId, Said,
};
use crate::window::Window;

/// The exchanges of one run.
#[derive(Clone)]
pub(crate) struct Exchanges(Arc<Shared>);

struct Shared {
    run: RunId,
    /// How many there may be.
    limit: usize,
    outbox: Outbox,
    open: Mutex<Open>,
}

#[derive(Default)]
struct Open {
    next: ExchangeId,
    exchanges: HashMap<ExchangeId, Ear>,
}

/// Where answers go.
struct Ear {
    answers: UnboundedSender<Heard>,
    window: Window,
}

enum Heard {
    Head(u16, FieldList),
    Body(Bytes),
    Ended(Result<(), EgressError>),
}

impl Exchanges {
    pub(super) fn new(run: RunId, limit: u32, outbox: Outbox) -> Exchanges {
        let limit = usize::try_from(limit).unwrap_or(usize::MAX);
        Exchanges(Arc::new(Shared { run, limit, outbox, open: Mutex::default() }))
    }

    /// Takes what the server says. What nobody listens to any more is nothing.
    pub(super) fn hear(&self, exchange: ExchangeId, answer: Answer, body: Bytes) {
        let mut open = self.open();
        let Some(ear) = open.exchanges.get(&exchange) else { return };
        let heard = match answer {
            Answer::Taken(bytes) => return ear.window.give(bytes),
            Answer::Response { status, fields } => Heard::Head(status, fields),
            Answer::Body => Heard::Body(body),
            Answer::Ended(result) => {
                if let Some(ear) = open.exchanges.remove(&exchange) {
                    let _nobody_listens = ear.answers.send(Heard::Ended(result));
                }
                return;
            }
        };
        let _nobody_listens = ear.answers.send(heard);
    }

    /// Sends a guest's request; the response comes with a body that is read as it is needed.
    pub(crate) async fn send(
        self,
        request: Request<WasiBody>,
        options: Option<RequestOptions>,
    ) -> Result<Response<WasiBody>, Error> {
        let (head, body) = request.into_parts();
        let has_body = !http_body::Body::is_end_stream(&body);
        let head = request_head(&head, has_body, options);
        if head.size() > MAX_HEAD {
            return Err(Error::HttpRequestHeaderSectionSize(None));
        }
        let mut exchange = self.begin()?;
        exchange.request(head).await?;
        if has_body {
            exchange.upload = Some(exchange.upload(body));
        }
        match exchange.answers.recv().await {
            Some(Heard::Head(status, fields)) => response(status, fields, exchange),
            Some(Heard::Ended(result)) => {
                exchange.state = State::Over;
                Err(result.err().map_or(Error::HttpProtocolError, in_wasi))
            }
            _ => Err(Error::HttpProtocolError),
        }
    }

    fn begin(&self) -> Result<Exchange, Error> {
        let mut open = self.open();
        if open.exchanges.len() >= self.0.limit {
            return Err(Error::ConnectionLimitReached);
        }
        let id = open.next;
        open.next = open.next.wrapping_add(1);
        let (answers, receiver) = unbounded_channel();
        let window = Window::new();
        open.exchanges.insert(id, Ear { answers, window: window.clone() });
        let of = self.clone();
        let state = State::Unsent;
        Ok(Exchange { id, of, answers: receiver, window, upload: None, state })
    }

    fn open(&self) -> MutexGuard<'_, Open> {
        self.0.open.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// One exchange as the guest has it. Dropped before its end, it is given up.
struct Exchange {
    id: ExchangeId,
    of: Exchanges,
    answers: UnboundedReceiver<Heard>,
    window: Window,
    upload: Option<AbortOnDropJoinHandle<()>>,
    state: State,
}

#[derive(PartialEq, Eq)]
enum State {
    /// The server knows nothing of it.
    Unsent,
    /// The server will say when it is over.
    Open,
    Over,
}

impl Exchange {
    /// Sends the head of the request.
    async fn request(&mut self, head: RequestHead) -> Result<(), Error> {
        let gone = |_| Error::InternalError(None);
        let mut turn = self.of.0.outbox.turn().await.map_err(gone)?;
        let (run, exchange, said) = (self.of.0.run, self.id, Said::Request(head));
        turn.put(&FromRunner::Http { run, exchange, said }, &[]).map_err(gone)?;
        self.state = State::Open;
        turn.write().await.map_err(gone)
    }

    /// Has the body of the request follow, within the window.
    fn upload(&self, mut body: WasiBody) -> AbortOnDropJoinHandle<()> {
        let (of, id, window) = (self.of.clone(), self.id, self.window.clone());
        spawn(async move {
            let last = loop {
                let Some(frame) = body.frame().await else { break Said::Complete };
                let Ok(frame) = frame else { break Said::Aborted };
                // Trailers are left behind.
                let Ok(mut bytes) = frame.into_data() else { continue };
                while !bytes.is_empty() {
                    let piece = bytes.split_to(window.take(bytes.len()).await);
                    if say(&of, id, Said::Body, &piece).await.is_err() {
                        return;
                    }
                }
            };
            // Without a server this process ends.
            let _gone = say(&of, id, last, &[]).await;
        })
    }
}

impl Drop for Exchange {
    fn drop(&mut self) {
        match self.state {
            State::Unsent => drop(self.of.open().exchanges.remove(&self.id)),
            State::Open => {
                let (of, id) = (self.of.clone(), self.id);
                tokio::spawn(async move { say(&of, id, Said::Dropped, &[]).await });
            }
            State::Over => {}
        }
    }
}

async fn say(of: &Exchanges, id: ExchangeId, said: Said, body: &[u8]) -> Result<(), Error> {
    let message = FromRunner::Http { run: of.0.run, exchange: id, said };
    of.0.outbox.send(&message, body).await.map_err(|_| Error::InternalError(None))
}

fn request_head(
    head: &http::request::Parts,
    has_body: bool,
    options: Option<RequestOptions>,
) -> RequestHead {
    let field = |(name, value): (&HeaderName, &HeaderValue)| {
        (name.as_str().to_owned(), value.as_bytes().to_vec())
    };
    let patience = options.map_or_else(Patience::default, |options| Patience {
        connect: options.connect_timeout,
        first_byte: options.first_byte_timeout,
        between_bytes: options.between_bytes_timeout,
    });
    RequestHead {
        method: head.method.as_str().to_owned(),
        uri: head.uri.to_string(),
        fields: head.headers.iter().map(field).collect(),
        has_body,
        patience,
    }
}

fn response(
    status: u16,
    fields: FieldList,
    exchange: Exchange,
) -> Result<Response<WasiBody>, Error> {
    let mut headers = HeaderMap::with_capacity(fields.len());
    for (name, value) in fields {
        let name = HeaderName::from_bytes(name.as_bytes()).map_err(|_| Error::HttpProtocolError)?;
        let value = HeaderValue::from_bytes(&value).map_err(|_| Error::HttpProtocolError)?;
        headers.append(name, value);
    }
    let mut response = Response::new(UnsyncBoxBody::new(ResponseBody { exchange }));
    *response.status_mut() =
        http::StatusCode::from_u16(status).map_err(|_| Error::HttpProtocolError)?;
    *response.headers_mut() = headers;
    Ok(response)
}

/// The body of a response; what the guest has taken makes room for more.
struct ResponseBody {
    exchange: Exchange,
}

impl http_body::Body for ResponseBody {
    type Data = Bytes;
    type Error = Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<http_body::Frame<Bytes>, Error>>> {
        let exchange = &mut self.exchange;
        if exchange.state == State::Over {
            return Poll::Ready(None);
        }
        match ready!(exchange.answers.poll_recv(context)) {
            Some(Heard::Body(bytes)) => {
                let (of, id, taken) = (exchange.of.clone(), exchange.id, bytes.len() as u64);
                tokio::spawn(async move { say(&of, id, Said::Taken(taken), &[]).await });
                Poll::Ready(Some(Ok(http_body::Frame::data(bytes))))
            }
            Some(Heard::Ended(result)) => {
                exchange.state = State::Over;
                // Nobody takes the rest of the request.
                exchange.upload = None;
                Poll::Ready(result.err().map(|error| Err(in_wasi(error))))
            }
            Some(Heard::Head(..)) | None => {
                exchange.state = State::Over;
                Poll::Ready(Some(Err(Error::HttpProtocolError)))
            }
        }
    }
}

/// What a guest is told, in the words of wasi:http. Those with a text of their own are passed
/// on with it: a guest's author has to know what to change.
fn in_wasi(error: EgressError) -> Error {
    match error {
        EgressError::Denied(_) | EgressError::Unavailable => {
            Error::InternalError(Some(error.to_string()))
        }
        EgressError::InvalidRequest(text) => {
            Error::InternalError(Some(format!("invalid request: {text}")))
        }
        EgressError::UnknownName => {
            Error::DnsError { rcode: Some("NXDOMAIN".to_owned()), info_code: None }
        }
        EgressError::NamesTimeout => Error::DnsTimeout,
        EgressError::Refused => Error::ConnectionRefused,
        EgressError::Unreachable => Error::DestinationUnavailable,
        EgressError::ConnectTimeout => Error::ConnectionTimeout,
        EgressError::Certificate => Error::TlsCertificateError,
        EgressError::Tls => Error::TlsProtocolError,
        EgressError::ResponseTimeout => Error::HttpResponseTimeout,
        EgressError::IdleTimeout => Error::ConnectionReadTimeout,
        EgressError::Incomplete => Error::HttpResponseIncomplete,
        EgressError::Protocol => Error::HttpProtocolError,
        EgressError::HeadTooLarge => Error::HttpResponseHeaderSectionSize(None),
        EgressError::RequestTooLarge(limit) => Error::HttpRequestBodySize(Some(limit)),
        EgressError::ResponseTooLarge(limit) => Error::HttpResponseBodySize(Some(limit)),
        EgressError::TooMany => Error::ConnectionLimitReached,
    }
}
