//! What handlers share: the other rooms, the settings, and the door's own small state.

use std::fmt;
use std::ops::Deref;
use std::sync::Arc;
use std::time::Duration;

use attune_catalog::Catalog;
use attune_domain::clock::Clock;
use attune_domain::store::Store;
use attune_domain::vault::Vault;
use attune_orchestrator::Orchestrator;
use futures::future::BoxFuture;
use tokio::sync::Semaphore;
use tokio_util::sync::CancellationToken;

use crate::auth::cache::PrincipalCache;
use crate::auth::claims::TokenKeys;
use crate::auth::passwords::Passwords;
use crate::keys::Turns;

/// Uploads read at once: each may hold [`ApiSettings::max_upload_bytes`] in memory.
const PARALLEL_UPLOADS: usize = 4;

/// A secret that never shows in logs.
#[derive(Clone)]
pub struct SecretBytes(Vec<u8>);

impl SecretBytes {
    pub fn new(bytes: impl Into<Vec<u8>>) -> SecretBytes {
        SecretBytes(bytes.into())
    }

    pub(crate) fn expose(&self) -> &[u8] {
        &self.0
    }
}

impl fmt::Debug for SecretBytes {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("***")
    }
}

/// How the door behaves.
#[derive(Clone, Debug)]
pub struct ApiSettings {
    /// Whether nothing is served but the health routes and the metrics.
    pub health_only: bool,
    /// Signs session tokens (HS256).
    pub jwt_secret: SecretBytes,
    /// Whether anybody may register.
    pub self_registration: bool,
    /// Largest JSON body.
    pub max_body_bytes: usize,
    /// Largest multipart body of a pack upload.
    pub max_upload_bytes: usize,
    /// Shown by the health and agent routes and the API document.
    pub version: String,
    /// Lifetime of access tokens.
    pub access_ttl: Duration,
    /// Lifetime of refresh tokens.
    pub refresh_ttl: Duration,
    /// Longest `Prefer: wait` that is honoured.
    pub max_wait: Duration,
}

impl ApiSettings {
    /// The defaults of the contract.
    pub fn new(jwt_secret: SecretBytes, version: impl Into<String>) -> ApiSettings {
        ApiSettings {
            health_only: false,
            jwt_secret,
            self_registration: true,
            max_body_bytes: 10 << 20,
            max_upload_bytes: 110 << 20,
            version: version.into(),
            access_ttl: Duration::from_hours(1),
            refresh_ttl: Duration::from_hours(7 * 24),
            max_wait: Duration::from_mins(1),
        }
    }
}

/// Gives what was measured up to now, in the text format of Prometheus.
pub type Exposition = Arc<dyn Fn() -> BoxFuture<'static, String> + Send + Sync>;

/// What the door is built from.
#[derive(Clone)]
pub struct ApiParts {
    pub store: Arc<dyn Store>,
    pub orchestrator: Orchestrator,
    pub catalog: Arc<Catalog>,
    pub vault: Arc<dyn Vault>,
    pub clock: Arc<dyn Clock>,
    pub exposition: Exposition,
    pub settings: ApiSettings,
}

/// Handed to every handler; cheap to clone.
#[derive(Clone)]
pub(crate) struct ApiState(Arc<Shared>);

pub(crate) struct Shared {
    pub(crate) store: Arc<dyn Store>,
    pub(crate) orchestrator: Orchestrator,
    pub(crate) catalog: Arc<Catalog>,
    pub(crate) vault: Arc<dyn Vault>,
    pub(crate) key_turns: Turns,
    pub(crate) clock: Arc<dyn Clock>,
    pub(crate) exposition: Exposition,
    pub(crate) settings: ApiSettings,
    pub(crate) tokens: TokenKeys,
    pub(crate) principals: PrincipalCache,
    pub(crate) passwords: Passwords,
    pub(crate) uploads: Semaphore,
    /// Ends the endless streams, which would otherwise keep a stopping server waiting.
    pub(crate) stopping: CancellationToken,
}

impl ApiState {
    pub(crate) fn new(parts: ApiParts, stopping: CancellationToken) -> ApiState {
        ApiState(Arc::new(Shared {
            tokens: TokenKeys::new(&parts.settings.jwt_secret),
            principals: PrincipalCache::default(),
            passwords: Passwords::default(),
            uploads: Semaphore::new(PARALLEL_UPLOADS),
            store: parts.store,
            orchestrator: parts.orchestrator,
            catalog: parts.catalog,
            vault: parts.vault,
            key_turns: Turns::default(),
            clock: parts.clock,
            exposition: parts.exposition,
            settings: parts.settings,
            stopping,
        }))
    }
}

impl Deref for ApiState {
    type Target = Shared;

    fn deref(&self) -> &Shared {
        &self.0
    }
}
