//! The vault seam: what rests in the database is sealed, for one place and one tenant.
//!
//! Each tenant has data keys, which seal; a master key, which the database never holds, wraps
//! those. Both can be exchanged while the servers run.

use std::fmt;

use async_trait::async_trait;
use bytes::Bytes;

use crate::access::Scope;
use crate::clock::Timestamp;
use crate::id::{DataKeyId, TenantId};
use crate::store::StoreError;

/// A value as it rests in the database.
#[derive(Clone, PartialEq, Eq)]
pub struct Sealed {
    /// What opens it.
    pub data_key: DataKeyId,
    pub bytes: Bytes,
}

impl fmt::Debug for Sealed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} bytes under data key {}", self.bytes.len(), self.data_key)
    }
}

/// Where a sealed value belongs. Moved to another place, it does not open.
#[derive(Clone, Copy, Debug)]
pub enum Place<'a> {
    /// The key with this ref.
    Key(&'a str),
}

impl Place<'_> {
    /// What is bound to the value: no two places, and no two tenants, have the same.
    pub fn label(&self, tenant: TenantId) -> Vec<u8> {
        let (kind, name) = match self {
            Place::Key(reference) => ("attune.key.v1", reference),
        };
        [kind.as_bytes(), &[0], &tenant.0.to_be_bytes(), name.as_bytes()].concat()
    }
}

/// A data key as it rests in the database.
#[derive(Clone)]
pub struct WrappedDataKey {
    pub id: DataKeyId,
    pub tenant: TenantId,
    /// The fingerprint of the master key that wraps it.
    pub master: String,
    pub wrapped: Bytes,
    pub created: Timestamp,
    /// When another one took its place.
    pub retired: Option<Timestamp>,
}

/// Why something could not be sealed or opened.
#[derive(Debug, thiserror::Error)]
pub enum VaultError {
    /// The master key that it takes is not here; the text names the setting.
    #[error("{0}")]
    NoMaster(String),
    /// It was changed, or moved from elsewhere.
    #[error("a sealed value does not open: it was changed, or belongs elsewhere")]
    Damaged,
    /// Its data key is gone: it was sealed anew since it was read. Whoever reads it again finds
    /// it.
    #[error("a sealed value was sealed anew since it was read")]
    Stale,
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// What became of the master key.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MasterRotation {
    /// Tells the master key in use from others.
    pub fingerprint: String,
    /// Data keys that were wrapped anew.
    pub rewrapped: u64,
}

/// What a tenant's values are sealed with.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct VaultState {
    /// The fingerprint of the master key in use.
    pub master_key: String,
    /// The data key that seals; none before the first value.
    pub data_key: Option<DataKeyId>,
    pub data_key_created: Option<Timestamp>,
    /// Data keys that only open, until nothing needs them any more.
    pub retired_data_keys: u64,
}

/// Seals and opens.
#[async_trait]
pub trait Vault: Send + Sync {
    async fn seal(
        &self,
        scope: Scope,
        place: Place<'_>,
        plain: &[u8],
    ) -> Result<Sealed, VaultError>;

    async fn open(
        &self,
        scope: Scope,
        place: Place<'_>,
        sealed: &Sealed,
    ) -> Result<Vec<u8>, VaultError>;

    /// Gives the tenant a new data key. What older ones sealed is sealed anew in the background,
    /// and they go when nothing needs them.
    async fn rotate_data_key(&self, scope: Scope) -> Result<DataKeyId, VaultError>;

    /// Reads the master keys again, and wraps all data keys with the first of them.
    async fn rotate_master_key(&self) -> Result<MasterRotation, VaultError>;

    async fn state(&self, scope: Scope) -> Result<VaultState, VaultError>;
}
