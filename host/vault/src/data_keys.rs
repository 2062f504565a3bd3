//! Data keys: made when a tenant stores its first value, unwrapped once, and kept.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use attune_domain::access::Scope;
use attune_domain::id::{DataKeyId, TenantId};
use attune_domain::vault::{VaultError, WrappedDataKey};

use crate::cipher::{Cipher, KeyBytes, new_key};
use crate::{Inner, agreement};

/// Data keys that are kept; beyond it all go, and those in use come back.
const KEPT: usize = 10_000;

/// A data key that was unwrapped.
pub(crate) struct DataKey {
    id: DataKeyId,
    tenant: TenantId,
    cipher: Cipher,
}

impl DataKey {
    pub(crate) fn id(&self) -> DataKeyId {
        self.id
    }

    pub(crate) fn cipher(&self) -> &Cipher {
        &self.cipher
    }
}

/// Those that were unwrapped. A data key never changes, however it is wrapped.
#[derive(Default)]
pub(crate) struct DataKeys(Mutex<HashMap<DataKeyId, Arc<DataKey>>>);

impl DataKeys {
    fn get(&self, tenant: TenantId, id: DataKeyId) -> Option<Arc<DataKey>> {
        self.lock().get(&id).filter(|key| key.tenant == tenant).cloned()
    }

    fn put(&self, key: Arc<DataKey>) {
        let mut kept = self.lock();
        if kept.len() >= KEPT {
            kept.clear();
        }
        kept.insert(key.id, key);
    }

    pub(crate) fn forget(&self, id: DataKeyId) {
        self.lock().remove(&id);
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<DataKeyId, Arc<DataKey>>> {
        // Nobody panics while they hold the lock.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Inner {
    /// A data key by its id, unless it is gone, or another tenant's.
    pub(crate) async fn data_key(
        &self,
        scope: Scope,
        id: DataKeyId,
    ) -> Result<Arc<DataKey>, VaultError> {
        if let Some(kept) = self.data_keys.get(scope.tenant(), id) {
            return Ok(kept);
        }
        let stored = self.store.data_key(scope, id).await?.ok_or(VaultError::Stale)?;
        self.unwrapped(&stored).await
    }

    /// The data key that seals. Which one that is, only the database knows: another server may have
    /// made a new one.
    pub(crate) async fn current_data_key(&self, scope: Scope) -> Result<Arc<DataKey>, VaultError> {
        let stored = match self.store.current_data_key(scope).await? {
            Some(stored) => stored,
            None => self.new_data_key(scope, None).await?,
        };
        self.unwrapped(&stored).await
    }

    /// Makes a data key, in the place of `replaced`, unless somebody else does; returns the one
    /// that seals from now on.
    pub(crate) async fn new_data_key(
        &self,
        scope: Scope,
        replaced: Option<DataKeyId>,
    ) -> Result<WrappedDataKey, VaultError> {
        let master = agreement::in_use(self).await?;
        let wrapped = master.wrap(scope.tenant(), &new_key())?.into();
        let (name, now) = (master.fingerprint(), self.clock.now());
        Ok(self.store.add_data_key(scope, wrapped, name, replaced, now).await?)
    }

    async fn unwrapped(&self, stored: &WrappedDataKey) -> Result<Arc<DataKey>, VaultError> {
        if let Some(kept) = self.data_keys.get(stored.tenant, stored.id) {
            return Ok(kept);
        }
        let bytes = self.bytes_of(stored).await?;
        let cipher = Cipher::new(&bytes);
        let key = Arc::new(DataKey { id: stored.id, tenant: stored.tenant, cipher });
        self.data_keys.put(key.clone());
        Ok(key)
    }

    pub(crate) async fn bytes_of(&self, stored: &WrappedDataKey) -> Result<KeyBytes, VaultError> {
        self.masters.get(&stored.master, &*self.clock).await?.unwrap(stored)
    }
}
