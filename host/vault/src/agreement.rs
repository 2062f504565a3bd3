//! Servers that share a database wrap with one master key, and have what unwraps all that is there.

use std::sync::Arc;

use attune_domain::store::{InstallationStore, Store, WorkerStore};
use attune_domain::vault::{VaultError, WrappedDataKey};

use crate::master::{MasterKey, Masters};
use crate::{Inner, StartError};

/// Under this name all servers find the fingerprint of the master key in use.
const NAME: &str = "fingerprint of the master key";

/// Refuses a start that could not open what is stored.
pub(crate) fn check_stored(masters: &Masters, stored: &[WrappedDataKey]) -> Result<(), StartError> {
    let ring = masters.ring();
    match stored.iter().find(|key| ring.get(&key.master).is_none()) {
        None => Ok(()),
        Some(lost) => Err(StartError::WrongMaster(format!(
            "the database holds values that take the master key {}, which {} does not hold: put \
             it there as one more line, or name the right one with --master-key-file, \
             ATTUNE_MASTER_KEY or --master-key-command",
            lost.master,
            masters.source()
        ))),
    }
}

/// Refuses a start beside servers that could not open what this one would store.
pub(crate) async fn check_others(masters: &Masters, store: &dyn Store) -> Result<(), StartError> {
    let ring = masters.ring();
    let own = ring.first().fingerprint();
    let agreed = InstallationStore::agreed(store, NAME, own).await?;
    if ring.get(&agreed).is_some() {
        if agreed != own {
            tracing::info!(
                "the first master key is not the one in use: attune encryption \
                rotate-master --reread makes it that"
            );
        }
        return Ok(());
    }
    if store.is_shared() && !WorkerStore::pulses(store).await?.is_empty() {
        return Err(StartError::WrongMaster(format!(
            "the master key in {} is not that of the other servers on this database: give all of \
             them the same one, in ATTUNE_MASTER_KEY or in files of the same content \
             (--master-key-file)",
            masters.source()
        )));
    }
    // Nothing is stored that takes another one.
    Ok(agree(store, own).await?)
}

/// The master key that wraps: the one that all servers agree on, which is not the first of this
/// one's source before that was rotated to.
pub(crate) async fn in_use(inner: &Inner) -> Result<Arc<MasterKey>, VaultError> {
    let own = inner.masters.ring();
    let agreed = inner.store.agreed(NAME, own.first().fingerprint()).await?;
    inner.masters.get(&agreed, &*inner.clock).await
}

/// Has all servers wrap with this master key from now on.
pub(crate) async fn agree(
    store: &dyn Store,
    fingerprint: &str,
) -> Result<(), attune_domain::store::StoreError> {
    InstallationStore::agree(store, NAME, fingerprint).await
}
