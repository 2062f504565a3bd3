//! The broker: the only way from actions into the network.
//!
//! A request comes in as a guest made it, and is believed in nothing. [`request`] takes it
//! apart, `attune_domain::egress::grant` decides, [`names`] and [`dial`] make the connection
//! (to an address that was checked, and to no other), [`clients`] keep connections for later,
//! [`exchange`] carries the bodies. [`door`] is for runs with sockets of their own. The server's own API is served inside ([`Inside`]).
//!
//! Nothing is buffered but a window of each stream, so many slow exchanges cost little.

mod clients;
mod connections;
mod denials;
mod dial;
mod door;
mod exchange;
mod failure;
mod line;
mod names;
mod placeholders;
mod ready;
mod request;
mod tls;

use std::net::{SocketAddr, TcpListener};
use std::path::PathBuf;
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use async_trait::async_trait;
use attune_domain::clock::Clock;
use attune_domain::egress::grant::decide;
use attune_domain::egress::policy::EgressPolicy;
use attune_domain::egress::{Body, Caller, Egress, EgressError, Inside, Patience};
use attune_domain::store::Store;
use http::uri::Authority;
use http::{Method, Request, Response};

use clients::Clients;
use denials::Denials;
use door::Attendant;
use exchange::Exchange;
use request::Target;

/// What the broker is told by whoever starts it.
#[derive(Clone, Debug)]
pub struct Settings {
    pub policy: EgressPolicy,
    /// PEM file with certificates that are trusted beside the system's.
    pub roots: Option<PathBuf>,
    /// Name servers in place of the system's.
    pub resolver: Vec<SocketAddr>,
    /// How long a connection may take, from the name to the end of TLS's handshake.
    pub connect: Duration,
    /// An exchange in which nothing moves for so long is over.
    pub idle: Duration,
    /// Connections that one tenant may have open.
    pub connections: usize,
}

/// Why there is no broker.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    #[error("certificates cannot be read from {path}: {problem}")]
    Roots { path: PathBuf, problem: String },
    #[error("no name server can be used: {0}")]
    Names(String),
}

/// The broker. See the crate's documentation.
pub struct Broker {
    policy: EgressPolicy,
    clients: Clients,
    denials: Denials,
    idle: Duration,
    inside: OnceLock<(Authority, Arc<dyn Inside>)>,
}

impl Broker {
    pub fn start(
        settings: &Settings,
        store: Arc<dyn Store>,
        clock: Arc<dyn Clock>,
    ) -> Result<Broker, StartError> {
        Ok(Broker {
            policy: settings.policy.clone(),
            idle: settings.idle,
            clients: Clients::new(settings)?,
            denials: Denials::new(store, clock),
            inside: OnceLock::new(),
        })
    }

    /// From now on requests to `authority` are answered by `api`, and leave no machine.
    pub fn serve_inside(&self, authority: Authority, api: Arc<dyn Inside>) {
        // Whoever comes second is the same server's.
        let _already_served = self.inside.set((authority, api));
    }

    /// Writes down what it still has to tell, before the store is closed.
    pub async fn settle(&self) {
        self.denials.settle().await;
    }

    async fn send_out(
        &self,
        caller: &Caller,
        target: Target,
        request: Request<Option<Body>>,
        patience: Patience,
    ) -> Result<Response<Body>, EgressError> {
        let granted = decide(&caller.network.grants, &self.policy, &target.wish);
        let granted = granted.map_err(EgressError::Denied)?;
        let client = self.clients.of(caller.scope.tenant(), target.wish.insecure_tls);
        if target.wish.method == Method::CONNECT.as_str() {
            client.connect(&target, patience.connect).await?;
            return Ok(Response::new(exchange::nothing()));
        }
        let filled = placeholders::fill(request, &granted.secrets, &caller.network.secrets).await?;
        let exchange = Exchange { limits: caller.network.limits, idle: self.idle, patience };
        exchange.run(&client, filled).await
    }
}

#[async_trait]
impl Egress for Broker {
    async fn send(
        &self,
        caller: &Caller,
        mut request: Request<Option<Body>>,
        patience: Patience,
    ) -> Result<Response<Body>, EgressError> {
        let target = request::take_apart(&mut request)?;
        if let Some((authority, api)) = self.inside.get()
            && target.is(authority)
        {
            if target.wish.method == Method::CONNECT.as_str() {
                return Ok(Response::new(exchange::nothing()));
            }
            return api.serve(caller, request).await;
        }
        let wish = target.wish.clone();
        let sent = self.send_out(caller, target, request, patience).await;
        if let Err(EgressError::Denied(reason)) = &sent {
            self.denials.note(caller, &wish, reason).await;
        }
        sent
    }
    async fn attend(&self, caller: &Caller, door: TcpListener) {
        Attendant::new(self, caller).serve(door).await;
    }
}
