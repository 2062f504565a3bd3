//! An HTTP client for each tenant, with connections that are used again.
//!
//! Tenants share no connection: what one has sent over it is nothing another can find out.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use attune_domain::egress::EgressError;
use attune_domain::egress::grant::Wish;
use attune_domain::egress::policy::EgressPolicy;
use attune_domain::id::TenantId;
use bytes::Bytes;
use futures::TryFutureExt;
use http::{Request, Response};
use http_body_util::combinators::UnsyncBoxBody;
use hyper::body::Incoming;
use hyper_util::client::legacy;
use hyper_util::client::legacy::connect::capture_connection;
use hyper_util::rt::{TokioExecutor, TokioTimer};
use tokio::sync::Semaphore;
use tokio::time::timeout;

use crate::connections::{Open, Peer};
use crate::dial::{Dialer, Plain};
use crate::failure;
use crate::line::InUse;
use crate::names::Names;
use crate::ready::Ready;
use crate::request::Target;
use crate::tls::Tls;
use crate::{Settings, StartError};

/// How long a connection waits to be used again. Less than what servers commonly wait.
const KEPT: Duration = Duration::from_secs(30);
/// Connections to one peer that wait to be used again.
const KEPT_OF_ONE_PEER: usize = 32;
/// Bytes of a response's head.
const MAX_HEAD: usize = 64 << 10;
const MAX_FIELDS: usize = 256;
/// Bytes that a peer may send of one response, and over one connection, before they are read.
const STREAM_WINDOW: u32 = 256 << 10;
const CONNECTION_WINDOW: u32 = 1 << 20;
/// Bytes of requests that wait for a peer to take them.
const SEND_BUFFER: usize = 256 << 10;

/// A peer of HTTP/2 that does not answer a ping within 20 s is gone.
const PING_EVERY: Duration = Duration::from_secs(20);

/// A request's body on its way out.
pub(crate) type Outgoing = UnsyncBoxBody<Bytes, EgressError>;

/// The clients of all tenants.
pub(crate) struct Clients {
    names: Names,
    tls: Tls,
    policy: Arc<EgressPolicy>,
    connect: Duration,
    connections: usize,
    tenants: Mutex<HashMap<TenantId, OfTenant>>,
}

#[derive(Clone)]
struct OfTenant {
    checked: Client,
    unchecked: Client,
}

impl Clients {
    pub(crate) fn new(settings: &Settings) -> Result<Clients, StartError> {
        let names = Names::new(&settings.resolver);
        Ok(Clients {
            names: names.map_err(|error| StartError::Names(error.to_string()))?,
            tls: Tls::new(settings.roots.as_deref())?,
            policy: Arc::new(settings.policy.clone()),
            connect: settings.connect,
            connections: settings.connections,
            tenants: Mutex::default(),
        })
    }

    /// A tenant's client that checks certificates, or the one that does not.
    pub(crate) fn of(&self, tenant: TenantId, insecure_tls: bool) -> Client {
        let mut tenants = self.tenants.lock().unwrap_or_else(PoisonError::into_inner);
        let clients = tenants.entry(tenant).or_insert_with(|| self.of_new_tenant());
        if insecure_tls { clients.unchecked.clone() } else { clients.checked.clone() }
    }

    fn of_new_tenant(&self) -> OfTenant {
        let checked = Dialer {
            names: self.names.clone(),
            tls: self.tls.clone(),
            policy: self.policy.clone(),
            patience: self.connect,
            permits: Arc::new(Semaphore::new(self.connections)),
            plain: Ready::new(),
            secured: Ready::new(),
            open: Open::default(),
            insecure: false,
        };
        let (secured, open) = (Ready::new(), Open::default());
        let unchecked = Dialer { insecure: true, secured, open, ..checked.clone() };
        OfTenant { checked: Client::new(checked), unchecked: Client::new(unchecked) }
    }
}

/// Sends requests over connections of one tenant.
#[derive(Clone)]
pub(crate) struct Client {
    dialer: Dialer,
    http: legacy::Client<Dialer, Outgoing>,
}

impl Client {
    fn new(dialer: Dialer) -> Client {
        let http = legacy::Client::builder(TokioExecutor::new())
            .timer(TokioTimer::new())
            .pool_timer(TokioTimer::new())
            .pool_idle_timeout(KEPT)
            .pool_max_idle_per_host(KEPT_OF_ONE_PEER)
            .http1_max_buf_size(MAX_HEAD)
            .http1_max_headers(MAX_FIELDS)
            .http2_max_header_list_size(u32::try_from(MAX_HEAD).unwrap_or(u32::MAX))
            .http2_initial_stream_window_size(STREAM_WINDOW)
            .http2_initial_connection_window_size(CONNECTION_WINDOW)
            .http2_max_send_buf_size(SEND_BUFFER)
            .http2_keep_alive_interval(PING_EVERY)
            .build(dialer.clone());
        Client { dialer, http }
    }

    /// Has a connection ready for a request that follows.
    pub(crate) async fn connect(
        &self,
        target: &Target,
        patience: Option<Duration>,
    ) -> Result<(), EgressError> {
        let wish = &target.wish;
        let peer = Peer { tls: target.tls, host: wish.host.clone(), port: wish.port };
        let prepare = self.dialer.prepare(&peer);
        match patience {
            Some(patience) => {
                timeout(patience, prepare).await.map_err(|_| EgressError::ConnectTimeout)?
            }
            None => prepare.await,
        }
    }

    /// A connection of whoever asks, used by nobody before or after.
    pub(crate) async fn tunnel(&self, wish: &Wish) -> Result<Plain, EgressError> {
        let peer = Peer { tls: false, host: wish.host.clone(), port: wish.port };
        self.dialer.connect(&peer).await
    }

    /// The response, when its head is there; before that, the line that it will come on.
    pub(crate) fn request(
        &self,
        mut request: Request<Outgoing>,
    ) -> (
        impl Future<Output = Option<InUse>>,
        impl Future<Output = Result<Response<Incoming>, EgressError>>,
    ) {
        let line = InUse::of(capture_connection(&mut request));
        let response = self.http.request(request);
        (line, response.map_err(|error| failure::of_exchange(&error)))
    }
}
