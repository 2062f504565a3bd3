//! The way out of native runs: an HTTP proxy in a network that holds nothing else.
//!
//! A request that names no host is for the API. One that names a host is sent as a guest's
//! would be. `CONNECT` gives a connection that the broker cannot look into, to an address that
//! it has checked.

use std::convert::Infallible;
use std::net::TcpListener;
use std::sync::{Mutex, PoisonError};

use attune_domain::egress::grant::{TUNNEL, Wish, decide};
use attune_domain::egress::host::Host;
use attune_domain::egress::{Body, Caller, Egress, EgressError, HttpLimits, Patience};
use bytes::Bytes;
use futures::StreamExt;
use futures::stream::FuturesUnordered;
use http::{Method, Request, Response, StatusCode, Uri, header};
use http_body_util::combinators::UnsyncBoxBody;
use http_body_util::{BodyExt, BodyStream, Full, StreamBody};
use hyper::body::{Body as _, Frame, Incoming};
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper::upgrade::{OnUpgrade, Upgraded};
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::task::JoinSet;

use crate::dial::Plain;
use crate::{Broker, exchange};

/// Bytes of a request's head.
const MAX_HEAD: usize = 64 << 10;
/// Requests that nobody answers for are told why in this type.
const TEXT: &str = "text/plain; charset=utf-8";

type Answer = Response<UnsyncBoxBody<Bytes, EgressError>>;

/// Serves what a run connects to its door.
pub(crate) struct Attendant<'a> {
    broker: &'a Broker,
    caller: &'a Caller,
    /// Ends with the attendant.
    tunnels: Mutex<JoinSet<()>>,
}

impl<'a> Attendant<'a> {
    pub(crate) fn new(broker: &'a Broker, caller: &'a Caller) -> Attendant<'a> {
        Attendant { broker, caller, tunnels: Mutex::default() }
    }

    /// Never ends: whoever has it serve drops it.
    pub(crate) async fn serve(&self, door: TcpListener) {
        let door =
            door.set_nonblocking(true).and_then(|()| tokio::net::TcpListener::from_std(door));
        let door = match door {
            Ok(door) => door,
            Err(error) => {
                tracing::warn!(%error, execution = %self.caller.execution,
                    "a native run has no way into the network");
                return std::future::pending().await;
            }
        };
        let most = self.caller.network.limits.exchanges as usize;
        let mut connections = FuturesUnordered::new();
        loop {
            tokio::select! {
                accepted = door.accept(), if connections.len() < most => {
                    if let Ok((stream, _)) = accepted {
                        connections.push(self.converse(stream));
                    }
                }
                Some(()) = connections.next() => {}
            }
        }
    }

    async fn converse(&self, stream: TcpStream) {
        let connection = http1::Builder::new()
            .timer(TokioTimer::new())
            .max_buf_size(MAX_HEAD)
            .serve_connection(
                TokioIo::new(stream),
                service_fn(async |request| Ok::<_, Infallible>(self.answer(request).await)),
            )
            .with_upgrades();
        // Whatever went wrong is between the run and itself.
        let _ended = connection.await;
    }

    async fn answer(&self, request: Request<Incoming>) -> Answer {
        let answer = if request.method() == Method::CONNECT {
            self.open_tunnel(request).await
        } else {
            self.pass_on(request).await
        };
        answer.unwrap_or_else(|error| refusal(&error))
    }

    async fn pass_on(&self, request: Request<Incoming>) -> Result<Answer, EgressError> {
        let (mut parts, body) = request.into_parts();
        if parts.uri.authority().is_none() {
            parts.uri = self.in_the_api(&parts.uri)?;
        }
        let body = (!body.is_end_stream()).then(|| pieces(body));
        let request = Request::from_parts(parts, body);
        let response = self.broker.send(self.caller, request, Patience::default()).await?;
        Ok(response
            .map(|body| StreamBody::new(body.map(|piece| piece.map(Frame::data))).boxed_unsync()))
    }

    fn in_the_api(&self, uri: &Uri) -> Result<Uri, EgressError> {
        let (authority, _) = self.broker.inside.get().ok_or(EgressError::Unavailable)?;
        let path = uri.path_and_query().map_or("/", |path| path.as_str());
        Uri::builder()
            .scheme("http")
            .authority(authority.clone())
            .path_and_query(path)
            .build()
            .map_err(|problem| EgressError::InvalidRequest(problem.to_string()))
    }

    async fn open_tunnel(&self, request: Request<Incoming>) -> Result<Answer, EgressError> {
        let wish = wish(request.uri())?;
        let connection = self.broker.tunnel(self.caller, &wish).await?;
        let limits = self.caller.network.limits;
        let carry = carry(hyper::upgrade::on(request), connection, limits);
        let mut tunnels = self.tunnels.lock().unwrap_or_else(PoisonError::into_inner);
        while tunnels.try_join_next().is_some() {}
        if tunnels.len() >= limits.exchanges as usize {
            return Err(EgressError::TooMany);
        }
        tunnels.spawn(carry);
        Ok(Response::new(
            StreamBody::new(exchange::nothing().map(|piece| piece.map(Frame::data))).boxed_unsync(),
        ))
    }
}

impl Broker {
    /// A connection whose use nobody sees, to whom the manifest lets send anything.
    async fn tunnel(&self, caller: &Caller, wish: &Wish) -> Result<Plain, EgressError> {
        let granted = decide(&caller.network.grants, &self.policy, wish);
        let connection = match granted {
            Ok(_) => self.clients.of(caller.scope.tenant(), false).tunnel(wish).await,
            Err(reason) => Err(EgressError::Denied(reason)),
        };
        if let Err(EgressError::Denied(reason)) = &connection {
            self.denials.note(caller, wish, reason).await;
        }
        connection
    }
}

fn wish(uri: &Uri) -> Result<Wish, EgressError> {
    let invalid = |problem: &str| EgressError::InvalidRequest(problem.to_owned());
    let host = Host::parse(uri.host().unwrap_or_default())
        .map_err(|problem| EgressError::InvalidRequest(problem.to_string()))?;
    let port = uri.port_u16().ok_or_else(|| invalid("CONNECT names a host and a port"))?;
    Ok(Wish { host, port, method: TUNNEL.to_owned(), insecure_tls: false })
}

fn pieces(body: Incoming) -> Body {
    let frames = BodyStream::new(body).filter_map(async |frame| match frame {
        Ok(frame) => frame.into_data().ok().map(Ok),
        Err(_) => Some(Err(EgressError::Incomplete)),
    });
    frames.boxed()
}

/// Both ways, each until its end or its limit.
async fn carry(run: OnUpgrade, mut peer: Plain, limits: HttpLimits) {
    let Ok(run) = run.await else { return };
    let (mut from_run, mut to_run) = tokio::io::split(TokioIo::<Upgraded>::new(run));
    let (mut from_peer, mut to_peer) = peer.split();
    tokio::join!(
        one_way(&mut from_run, &mut to_peer, limits.request_bytes),
        one_way(&mut from_peer, &mut to_run, limits.response_bytes),
    );
}

async fn one_way(
    from: &mut (impl AsyncRead + Unpin),
    to: &mut (impl AsyncWrite + Unpin),
    most: u64,
) {
    // A side that hangs up has had enough; the other one is told the same.
    let _copied = tokio::io::copy(&mut from.take(most), to).await;
    let _closed = to.shutdown().await;
}

/// What a proxy says of it (RFC 9110, 15.6), with a text for the action's author.
fn refusal(error: &EgressError) -> Answer {
    let status = match error {
        EgressError::Denied(_) => StatusCode::FORBIDDEN,
        EgressError::InvalidRequest(_) => StatusCode::BAD_REQUEST,
        EgressError::RequestTooLarge(_) => StatusCode::PAYLOAD_TOO_LARGE,
        EgressError::TooMany | EgressError::Unavailable => StatusCode::SERVICE_UNAVAILABLE,
        EgressError::NamesTimeout
        | EgressError::ConnectTimeout
        | EgressError::ResponseTimeout
        | EgressError::IdleTimeout => StatusCode::GATEWAY_TIMEOUT,
        _ => StatusCode::BAD_GATEWAY,
    };
    let text = Full::new(Bytes::from(format!("attune: {error}\n")));
    let mut answer = Response::new(text.map_err(|never| match never {}).boxed_unsync());
    *answer.status_mut() = status;
    answer.headers_mut().insert(header::CONTENT_TYPE, header::HeaderValue::from_static(TEXT));
    answer
}
