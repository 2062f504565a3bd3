//! The vault: the only room that knows a cipher, and the only one that has keys in its hands.
//!
//! Values are sealed with AES-256-GCM under a data key of their tenant (`data_keys`), which rests in
//! the database wrapped by the master key (`master`), which does not. The master key comes from a
//! file, a variable or a command (`source`). `rotation` exchanges both while servers run.
//!
//! Nothing here prints, logs or returns a key; what held one is overwritten when it is dropped.

mod agreement;
mod cipher;
mod data_keys;
mod master;
mod rotation;
mod sealed;
mod source;

use std::sync::Arc;

use async_trait::async_trait;
use attune_domain::access::Scope;
use attune_domain::clock::Clock;
use attune_domain::id::DataKeyId;
use attune_domain::store::{Store, StoreError};
use attune_domain::vault::{MasterRotation, Place, Sealed, Vault, VaultError, VaultState};
use tokio::sync::Notify;

pub use master::{MasterKey, fingerprint_of_first};
pub use source::{Source, SourceError};

use data_keys::DataKeys;
use master::Masters;

/// Why a vault did not open.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    #[error(transparent)]
    Source(#[from] SourceError),
    /// What is stored would be lost to this server, or what it stores to the others.
    #[error("{0}")]
    WrongMaster(String),
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// The one vault of a server. Cheap to clone.
#[derive(Clone)]
pub struct KeyVault {
    inner: Arc<Inner>,
}

struct Inner {
    store: Arc<dyn Store>,
    clock: Arc<dyn Clock>,
    masters: Masters,
    data_keys: DataKeys,
    /// Values wait to be sealed anew.
    reseal: Arc<Notify>,
}

impl KeyVault {
    /// Reads the master key, or makes one where nothing is stored yet and the source allows it, and
    /// makes sure that it fits what is stored. From then on values of retired data keys are
    /// sealed anew in the background, also those that an earlier server left.
    pub async fn start(
        source: Source,
        store: Arc<dyn Store>,
        clock: Arc<dyn Clock>,
    ) -> Result<KeyVault, StartError> {
        let stored = store.data_keys().await?;
        let ring = source.read_or_make(stored.is_empty()).await?;
        let masters = Masters::new(source, ring);
        agreement::check_stored(&masters, &stored)?;
        agreement::check_others(&masters, &*store).await?;
        let reseal = Arc::new(Notify::new());
        let data_keys = DataKeys::default();
        let inner = Arc::new(Inner { store, clock, masters, data_keys, reseal });
        rotation::attend(&inner);
        Ok(KeyVault { inner })
    }
}

#[async_trait]
impl Vault for KeyVault {
    async fn seal(
        &self,
        scope: Scope,
        place: Place<'_>,
        plain: &[u8],
    ) -> Result<Sealed, VaultError> {
        self.inner.seal(scope, place, plain).await
    }

    async fn open(
        &self,
        scope: Scope,
        place: Place<'_>,
        sealed: &Sealed,
    ) -> Result<Vec<u8>, VaultError> {
        self.inner.open(scope, place, sealed).await
    }

    async fn rotate_data_key(&self, scope: Scope) -> Result<DataKeyId, VaultError> {
        self.inner.rotate_data_key(scope).await
    }

    async fn rotate_master_key(&self) -> Result<MasterRotation, VaultError> {
        self.inner.rotate_master_key().await
    }

    async fn state(&self, scope: Scope) -> Result<VaultState, VaultError> {
        let stored = self.inner.store.data_keys().await?;
        let (retired, current): (Vec<_>, Vec<_>) = stored
            .into_iter()
            .filter(|key| key.tenant == scope.tenant())
            .partition(|key| key.retired.is_some());
        let current = current.into_iter().next();
        Ok(VaultState {
            master_key: agreement::in_use(&self.inner).await?.fingerprint().to_owned(),
            data_key: current.as_ref().map(|key| key.id),
            data_key_created: current.map(|key| key.created),
            retired_data_keys: retired.len() as u64,
        })
    }
}

impl Inner {
    async fn seal(
        &self,
        scope: Scope,
        place: Place<'_>,
        plain: &[u8],
    ) -> Result<Sealed, VaultError> {
        let key = self.current_data_key(scope).await?;
        let bytes = sealed::seal(&key, &place.label(scope.tenant()), plain)?;
        Ok(Sealed { data_key: key.id(), bytes: bytes.into() })
    }

    async fn open(
        &self,
        scope: Scope,
        place: Place<'_>,
        sealed: &Sealed,
    ) -> Result<Vec<u8>, VaultError> {
        let key = self.data_key(scope, sealed.data_key).await?;
        sealed::open(&key, &place.label(scope.tenant()), &sealed.bytes)
    }
}
