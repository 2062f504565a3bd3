//! The network, as far as actions reach it: who asked, what may be answered, and how it fails.
//!
//! [`grant`] is what a manifest asks for, [`policy`] what the installation allows, [`address`]
//! what is nobody's business. The broker ([`Egress`]) decides with them; it is the only way out.

pub mod address;
pub mod grant;
pub mod host;
pub mod policy;

use std::collections::BTreeMap;
use std::net::TcpListener;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use bytes::Bytes;
use futures::stream::BoxStream;
use serde::{Deserialize, Serialize};

use crate::access::Scope;
use crate::id::{ExecutionId, IdentityId};
use grant::HttpGrant;

/// On a request of a guest: certificates need not be valid. Needs a grant; never sent on.
pub const INSECURE_TLS: &str = "attune-insecure-tls";
/// `ATTUNE_API_TOKEN` of actions. It names the execution's token to the server, and to it alone:
/// there is none that a guest could lose, and nothing that outlives the run.
pub const API_TOKEN: &str = "{{secret:ATTUNE_API_TOKEN}}";
/// Header fields with this prefix are for the broker.
pub const OWN_FIELDS: &str = "attune-";

/// A body, in pieces as they come.
pub type Body = BoxStream<'static, Result<Bytes, EgressError>>;

/// Who asks for something of the network, and with what rights.
#[derive(Clone, Debug)]
pub struct Caller {
    pub scope: Scope,
    pub execution: ExecutionId,
    pub action: Arc<str>,
    /// On whose behalf.
    pub executor: Option<IdentityId>,
    /// What it may do in the server's own API.
    pub permission_sets: Arc<[String]>,
    pub network: Arc<Network>,
}

/// What a run may do in the network.
#[derive(Clone, Default, PartialEq, Eq)]
pub struct Network {
    /// What the action's manifest asks for (`permissions.http`).
    pub grants: Vec<HttpGrant>,
    /// Values that the broker fills in for placeholders, by name. The guest never has them.
    pub secrets: BTreeMap<String, String>,
    pub limits: HttpLimits,
}

impl std::fmt::Debug for Network {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let names: Vec<_> = self.secrets.keys().collect();
        f.debug_struct("Network")
            .field("grants", &self.grants)
            .field("secrets", &names)
            .field("limits", &self.limits)
            .finish()
    }
}

/// What a run may use of the network.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct HttpLimits {
    /// Requests at once.
    pub exchanges: u32,
    /// Bytes of one request's body.
    pub request_bytes: u64,
    /// Bytes of one response's body.
    pub response_bytes: u64,
}

impl Default for HttpLimits {
    fn default() -> HttpLimits {
        HttpLimits { exchanges: 100, request_bytes: 100 << 20, response_bytes: 100 << 20 }
    }
}

/// How long a guest itself is willing to wait; the broker has bounds of its own.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Patience {
    pub connect: Option<Duration>,
    pub first_byte: Option<Duration>,
    pub between_bytes: Option<Duration>,
}

/// Why there is no response, or no more of it. The texts are for the action's author.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, thiserror::Error)]
pub enum EgressError {
    /// Somebody's decision: the manifest's, or the policy's.
    #[error("denied: {0}")]
    Denied(String),
    /// The request is none that could be sent.
    #[error("{0}")]
    InvalidRequest(String),
    #[error("the name does not exist")]
    UnknownName,
    #[error("no name server answers")]
    NamesTimeout,
    #[error("the connection is refused")]
    Refused,
    #[error("the network is unreachable")]
    Unreachable,
    #[error("no connection in time")]
    ConnectTimeout,
    #[error("the certificate is not valid")]
    Certificate,
    #[error("TLS fails")]
    Tls,
    #[error("no response in time")]
    ResponseTimeout,
    #[error("the peer has stopped in the middle")]
    IdleTimeout,
    #[error("the connection was closed in the middle")]
    Incomplete,
    #[error("the peer does not speak HTTP as it should")]
    Protocol,
    #[error("the head of the response is too large")]
    HeadTooLarge,
    #[error("the request is larger than {0} bytes")]
    RequestTooLarge(u64),
    #[error("the response is larger than {0} bytes")]
    ResponseTooLarge(u64),
    #[error("too many requests at once")]
    TooMany,
    /// The server itself cannot do it now.
    #[error("the server cannot do this now")]
    Unavailable,
}

/// The server's own API, as it is reached from inside.
#[async_trait]
pub trait Inside: Send + Sync {
    /// Whoever sends [`API_TOKEN`] as its bearer token is the execution.
    async fn serve(
        &self,
        caller: &Caller,
        request: http::Request<Option<Body>>,
    ) -> Result<http::Response<Body>, EgressError>;
}

/// The only way out. One real implementation (the broker), and one that knows no network.
#[async_trait]
pub trait Egress: Send + Sync {
    /// Sends a request and gives the head of its response as soon as that is there. A request
    /// `CONNECT` asks for a connection and nothing else. Dropping the future, or the response's
    /// body, ends the exchange.
    async fn send(
        &self,
        caller: &Caller,
        request: http::Request<Option<Body>>,
        patience: Patience,
    ) -> Result<http::Response<Body>, EgressError>;

    /// Serves a run that has sockets of its own, but in a network where `door` is all there is
    /// (see [`crate::native::DOOR`]), until the future is dropped.
    async fn attend(&self, caller: &Caller, door: TcpListener);
}

/// No way out at all.
pub struct NoEgress;

#[async_trait]
impl Egress for NoEgress {
    async fn send(
        &self,
        _caller: &Caller,
        _request: http::Request<Option<Body>>,
        _patience: Patience,
    ) -> Result<http::Response<Body>, EgressError> {
        Err(EgressError::Denied("this server has no way out".to_owned()))
    }

    async fn attend(&self, _caller: &Caller, _door: TcpListener) {
        std::future::pending::<()>().await;
    }
}
