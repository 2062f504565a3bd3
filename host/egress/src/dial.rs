//! Making a connection: from the name to an address that was checked, and to that address.

use std::net::{IpAddr, SocketAddr};
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use attune_domain::egress::EgressError;
use attune_domain::egress::host::Host;
use attune_domain::egress::policy::EgressPolicy;
use futures::StreamExt;
use futures::stream::FuturesUnordered;
use http::Uri;
use hyper_util::rt::TokioIo;
use rustls::pki_types::ServerName;
use tokio::net::TcpStream;
use tokio::net::tcp::{ReadHalf, WriteHalf};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::time::{sleep, timeout};
use tokio_rustls::TlsConnector;

use crate::connections::{Counted, Open, Peer, Stream};
use crate::failure;
use crate::names::Names;
use crate::ready::Ready;
use crate::tls::Tls;

/// How long an address is tried alone before the next one is tried too (RFC 8305, 5).
const HEAD_START: Duration = Duration::from_millis(250);

/// A connection without TLS that nobody uses yet, and its place among the tenant's.
pub(crate) struct Plain {
    stream: TcpStream,
    permit: OwnedSemaphorePermit,
}

impl Plain {
    /// For reading and for writing.
    pub(crate) fn split(&mut self) -> (ReadHalf<'_>, WriteHalf<'_>) {
        self.stream.split()
    }
}

/// Makes the connections of one tenant.
#[derive(Clone)]
pub(crate) struct Dialer {
    pub(crate) names: Names,
    pub(crate) tls: Tls,
    pub(crate) policy: Arc<EgressPolicy>,
    /// How long a connection may take.
    pub(crate) patience: Duration,
    pub(crate) permits: Arc<Semaphore>,
    /// TCP alone, which may still become either.
    pub(crate) plain: Ready<Plain>,
    pub(crate) secured: Ready<Counted>,
    pub(crate) open: Open,
    /// Certificates are not checked.
    pub(crate) insecure: bool,
}

impl Dialer {
    /// Has a connection ready, unless there is one.
    pub(crate) async fn prepare(&self, peer: &Peer) -> Result<(), EgressError> {
        if self.open.has(peer) || self.plain.has(peer) {
            return Ok(());
        }
        if peer.tls {
            let connection = self.secure(peer).await?;
            self.secured.put(peer.clone(), connection);
        } else if !self.open.has(&Peer { tls: true, ..peer.clone() }) {
            let connection = self.connect(peer).await?;
            self.plain.put(peer.clone(), connection);
        }
        Ok(())
    }

    async fn connection(&self, peer: Peer) -> Result<Counted, EgressError> {
        if peer.tls {
            match self.secured.take(&peer) {
                Some(connection) => Ok(connection),
                None => self.secure(&peer).await,
            }
        } else {
            let plain = match self.plain.take(&peer) {
                Some(plain) => plain,
                None => self.connect(&peer).await?,
            };
            Ok(self.counted(Stream::Plain(plain.stream), peer, plain.permit))
        }
    }

    async fn secure(&self, peer: &Peer) -> Result<Counted, EgressError> {
        let plain = match self.plain.take(&Peer { tls: false, ..peer.clone() }) {
            Some(plain) => plain,
            None => self.connect(peer).await?,
        };
        let name = match &peer.host {
            Host::Address(address) => ServerName::from(*address),
            Host::Name(name) => ServerName::try_from(name.clone()).map_err(|_| EgressError::Tls)?,
        };
        let config = if self.insecure { &self.tls.unchecked } else { &self.tls.checked };
        let handshake = TlsConnector::from(config.clone()).connect(name, plain.stream);
        let stream = timeout(self.patience, handshake)
            .await
            .map_err(|_| EgressError::ConnectTimeout)?
            .map_err(|error| failure::of_handshake(&error))?;
        Ok(self.counted(Stream::Tls(Box::new(stream)), peer.clone(), plain.permit))
    }

    fn counted(&self, stream: Stream, peer: Peer, permit: OwnedSemaphorePermit) -> Counted {
        Counted::new(stream, peer, self.open.clone(), permit)
    }

    pub(crate) async fn connect(&self, peer: &Peer) -> Result<Plain, EgressError> {
        let permit = timeout(self.patience, self.permits.clone().acquire_owned());
        let Ok(Ok(permit)) = permit.await else { return Err(EgressError::TooMany) };
        let connect = async {
            let addresses = self.checked_addresses(peer).await?;
            connect_to_any(addresses).await
        };
        let stream =
            timeout(self.patience, connect).await.map_err(|_| EgressError::ConnectTimeout)??;
        // A request's head and body are written one after the other: Nagle would hold the
        // second back until the peer's delayed acknowledgement of the first, 40 ms later.
        stream.set_nodelay(true).map_err(|error| failure::of_connect(&error))?;
        Ok(Plain { stream, permit })
    }

    /// The addresses that a connection may be made to. What is checked here is what is connected
    /// to: nobody asks for the name again.
    async fn checked_addresses(&self, peer: &Peer) -> Result<Vec<SocketAddr>, EgressError> {
        let found = self.names.addresses(&peer.host).await?;
        let admitted: Vec<_> = found
            .iter()
            .map(IpAddr::to_canonical)
            .filter(|address| self.policy.admits(*address))
            .map(|address| SocketAddr::new(address, peer.port))
            .collect();
        match (admitted.is_empty(), found.first()) {
            (false, _) => Ok(admitted),
            (true, None) => Err(EgressError::UnknownName),
            (true, Some(address)) => Err(EgressError::Denied(match &peer.host {
                Host::Name(name) => format!(
                    "{name} is at {address}, which is no public address and none that the \
                     policy of this server (--egress-private) has"
                ),
                Host::Address(_) => format!(
                    "{address} is no public address and none that the policy of this server \
                     (--egress-private) has"
                ),
            })),
        }
    }
}

/// Tries one after the other, the next one also when the one before takes long.
async fn connect_to_any(addresses: Vec<SocketAddr>) -> Result<TcpStream, EgressError> {
    let mut waiting = addresses.into_iter().peekable();
    let mut attempts = FuturesUnordered::new();
    let mut failed = EgressError::Unreachable;
    loop {
        attempts.extend(waiting.next().map(TcpStream::connect));
        tokio::select! {
            attempt = attempts.next() => match attempt {
                Some(Ok(stream)) => return Ok(stream),
                Some(Err(error)) => failed = failure::of_connect(&error),
                None => return Err(failed),
            },
            () = sleep(HEAD_START), if waiting.peek().is_some() => {}
        }
    }
}

impl tower::Service<Uri> for Dialer {
    type Response = TokioIo<Counted>;
    type Error = EgressError;
    type Future =
        Pin<Box<dyn Future<Output = Result<TokioIo<Counted>, EgressError>> + Send + 'static>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), EgressError>> {
        Poll::Ready(Ok(()))
    }

    /// The address is one that `request` has made.
    fn call(&mut self, uri: Uri) -> Self::Future {
        let dialer = self.clone();
        Box::pin(async move {
            let tls = uri.scheme_str() == Some("https");
            let host = Host::parse(uri.host().unwrap_or_default())
                .map_err(|problem| EgressError::InvalidRequest(problem.to_string()))?;
            let port = uri.port_u16().unwrap_or(if tls { 443 } else { 80 });
            dialer.connection(Peer { tls, host, port }).await.map(TokioIo::new)
        })
    }
}
