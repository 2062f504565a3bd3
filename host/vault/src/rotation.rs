//! New keys in the place of old ones, while servers run.

use std::error::Error;
use std::sync::{Arc, Weak};
use std::time::Duration;

use attune_domain::access::Scope;
use attune_domain::id::{DataKeyId, KeyId};
use attune_domain::key::SealedKey;
use attune_domain::store::StoreError;
use attune_domain::vault::{MasterRotation, Place, VaultError};

use crate::{Inner, agreement};

/// Values that are held at once; each may have a megabyte.
const BATCH: u32 = 16;
/// Data keys may have been retired by a server that then died: it is looked so often.
const PACE: Duration = Duration::from_mins(1);

impl Inner {
    pub(crate) async fn rotate_data_key(&self, scope: Scope) -> Result<DataKeyId, VaultError> {
        let current = self.store.current_data_key(scope).await?.map(|current| current.id);
        let new = self.new_data_key(scope, current).await?.id;
        tracing::info!(tenant = %scope.tenant(), data_key = %new, "a new data key seals");
        self.reseal.notify_one();
        Ok(new)
    }

    pub(crate) async fn rotate_master_key(&self) -> Result<MasterRotation, VaultError> {
        let ring = self.masters.reread().await;
        let ring = ring.map_err(|error| VaultError::NoMaster(error.to_string()))?;
        let master = ring.first();
        // First of all: what other servers make from now on is wrapped with it.
        agreement::agree(&*self.store, master.fingerprint()).await?;
        let mut rewrapped = 0;
        for stored in self.store.data_keys().await? {
            if stored.master == master.fingerprint() {
                continue;
            }
            let wrapped = master.wrap(stored.tenant, &self.bytes_of(&stored).await?)?;
            let done = self.store.rewrap_data_key(&stored, wrapped.into(), master.fingerprint());
            rewrapped += u64::from(done.await?);
        }
        let fingerprint = master.fingerprint().to_owned();
        tracing::info!(fingerprint, rewrapped, "data keys are wrapped with the first master key");
        Ok(MasterRotation { fingerprint, rewrapped })
    }
}

/// Seals anew what is to be, until the vault is dropped.
pub(crate) fn attend(inner: &Arc<Inner>) {
    let (vault, reseal, clock) = (Arc::downgrade(inner), inner.reseal.clone(), inner.clock.clone());
    // An earlier server may have left some.
    reseal.notify_one();
    tokio::spawn(async move {
        loop {
            tokio::select! {
                () = reseal.notified() => {}
                () = clock.sleep(PACE) => {}
            }
            if !look(&vault).await {
                return;
            }
        }
    });
}

/// False when the vault is gone.
async fn look(vault: &Weak<Inner>) -> bool {
    let Some(inner) = vault.upgrade() else { return false };
    if let Err(error) = inner.reseal_all().await {
        let error = &error as &dyn Error;
        tracing::debug!(error, "values are sealed anew after a later look");
    }
    true
}

impl Inner {
    /// Until nothing is left: who changes a value at this moment may still use the old data key.
    async fn reseal_all(&self) -> Result<(), VaultError> {
        while self.reseal_what_there_is().await? || !self.drop_retired().await? {}
        Ok(())
    }

    /// Whether there was anything that is sealed anew now, by this or by another change.
    async fn reseal_what_there_is(&self) -> Result<bool, VaultError> {
        let (mut after, mut any) = (KeyId(0), false);
        loop {
            let batch = self.store.sealed_with_retired(after, BATCH).await?;
            let Some(last) = batch.last() else { break };
            after = last.key.id;
            for stored in batch {
                any |= self.reseal(stored).await?;
            }
        }
        Ok(any)
    }

    /// False when a value was sealed with one of them at this moment.
    async fn drop_retired(&self) -> Result<bool, VaultError> {
        match self.store.drop_retired_data_keys().await {
            Ok(dropped) => {
                for id in dropped {
                    tracing::info!(data_key = %id, "nothing needs this data key any more");
                    self.data_keys.forget(id);
                }
                Ok(true)
            }
            Err(StoreError::Conflict) => Ok(false),
            Err(error) => Err(error.into()),
        }
    }

    /// What does not open stays as it is, and is told when it is asked for: false. What was
    /// changed meanwhile is sealed anew already, or found again.
    async fn reseal(&self, stored: SealedKey) -> Result<bool, VaultError> {
        let scope = Scope::of_key(&stored.key);
        let place = Place::Key(&stored.key.reference);
        let plain = match self.open(scope, place, &stored.value).await {
            Ok(plain) => zeroize::Zeroizing::new(plain),
            Err(VaultError::Damaged) => return Ok(false),
            Err(VaultError::Stale) => return Ok(true),
            Err(error) => return Err(error),
        };
        let sealed = self.seal(scope, place, &plain).await?;
        match self.store.reseal_key(scope, &stored, sealed).await {
            Ok(_) | Err(StoreError::Conflict) => Ok(true),
            Err(error) => Err(error.into()),
        }
    }
}
