//! Installing and deleting packs.
//!
//! An installation is read and checked in memory, then its folder is made, then one commit
//! of the store makes it true. When something fails before the commit, all that may be left
//! is a folder that nothing refers to, and a sweep takes it away.

use std::collections::HashSet;
use std::io;
use std::path::PathBuf;
use std::sync::Arc;

use async_trait::async_trait;
use attune_domain::access::{Principal, Scope, may_see_pack};
use attune_domain::clock::Clock;
use attune_domain::id::TenantId;
use attune_domain::pack::{Pack, PackFolders};
use attune_domain::store::{Store, StoreError, StoreResult};
use bytes::Bytes;
use tokio::sync::Mutex;

use crate::archive::{self, ArchiveError};
use crate::canonical;
use crate::files::PackFiles;
use crate::folders::Folders;
use crate::incoming::IncomingPack;
use crate::limits::ArchiveLimits;
use crate::manifest::ManifestError;
use crate::readers::Readers;

/// The packs of this server.
pub struct Catalog {
    store: Arc<dyn Store>,
    clock: Arc<dyn Clock>,
    folders: Folders,
    limits: ArchiveLimits,
    readers: Readers,
    /// Held from "may this pack be installed" to its commit, and through a sweep, so that
    /// neither acts on what the other is about to change.
    changes: Mutex<()>,
}

/// Why a pack was not installed. Nothing of it is, then.
#[derive(Debug, thiserror::Error)]
pub enum InstallError {
    /// The archive is refused; its sender is to mend it.
    #[error(transparent)]
    Archive(#[from] ArchiveError),
    /// A manifest is refused; its author is to mend it.
    #[error(transparent)]
    Manifest(#[from] ManifestError),
    /// A ref is taken; the text names it.
    #[error("{0}")]
    Duplicate(String),
    #[error(transparent)]
    Store(StoreError),
    #[error("the pack's files could not be written: {0}")]
    Io(#[from] io::Error),
}

impl From<StoreError> for InstallError {
    fn from(error: StoreError) -> InstallError {
        match error {
            StoreError::Duplicate(what) => InstallError::Duplicate(what),
            other => InstallError::Store(other),
        }
    }
}

/// Why unused folders could not be removed. Nothing is wrong with those in use.
#[derive(Debug, thiserror::Error)]
pub enum SweepError {
    #[error(transparent)]
    Store(#[from] StoreError),
    #[error("the pack folders could not be swept: {0}")]
    Io(#[from] io::Error),
}

impl Catalog {
    /// A catalog whose folders are below `packs_dir`, which is made if it is missing.
    pub fn new(
        store: Arc<dyn Store>,
        clock: Arc<dyn Clock>,
        packs_dir: PathBuf,
        limits: ArchiveLimits,
    ) -> io::Result<Catalog> {
        Ok(Catalog {
            store,
            clock,
            folders: Folders::new(packs_dir)?,
            limits,
            readers: Readers::default(),
            changes: Mutex::new(()),
        })
    }

    /// Reads and checks a gzip tar. Nothing is installed yet.
    pub async fn read(&self, archive: Bytes) -> Result<IncomingPack, InstallError> {
        let limits = self.limits;
        self.readers.in_turn(move || IncomingPack::read(&archive, limits)).await?
    }

    /// Installs an uploaded pack. With `force` it replaces a pack of the tenant of the same
    /// ref, if the uploader may see it; the pack keeps its creator.
    pub async fn upload(
        &self,
        uploader: &Principal,
        mut incoming: IncomingPack,
        force: bool,
    ) -> Result<Pack, InstallError> {
        let scope = uploader.scope();
        let _change = self.changes.lock().await;
        let present = self.store.pack(scope, incoming.reference()).await?;
        incoming.install.pack.created_by = Some(uploader.identity());
        if let Some(present) = &present {
            let replaceable = may_replace(present, uploader);
            if !(force && replaceable) {
                let remedy = if replaceable { "; `force` replaces it" } else { "" };
                let reference = &present.reference;
                let taken = format!("pack '{reference}' already exists{remedy}");
                return Err(InstallError::Duplicate(taken));
            }
            incoming.install.force = true;
            incoming.install.pack.created_by = present.created_by;
        }
        self.install(scope, incoming).await
    }

    /// Installs a pack that ships with the server, unless this version is installed.
    pub async fn install_shipped(
        &self,
        scope: Scope,
        archive: Bytes,
    ) -> Result<Pack, InstallError> {
        let mut incoming = self.read(archive).await?;
        let _change = self.changes.lock().await;
        match self.store.pack(scope, incoming.reference()).await? {
            Some(present) if present.digest.as_ref() == Some(&incoming.install.archive.digest) => {
                return Ok(present);
            }
            present => incoming.install.force = present.is_some(),
        }
        self.install(scope, incoming).await
    }

    /// Deletes a pack with its components; false when the tenant has none of this ref.
    pub async fn delete(&self, scope: Scope, reference: &str) -> StoreResult<bool> {
        let _change = self.changes.lock().await;
        let deleted = self.store.delete_pack(scope, reference).await?;
        if deleted {
            tracing::info!(pack = reference, tenant = %scope.tenant(), "pack deleted");
            self.tidy().await;
        }
        Ok(deleted)
    }

    /// Removes the folders of versions that are no longer in use, and half-made ones.
    pub async fn sweep(&self) -> Result<(), SweepError> {
        let _change = self.changes.lock().await;
        self.sweep_unused().await
    }

    /// Sweeps after a change. The change stands even if this fails.
    async fn tidy(&self) {
        if let Err(error) = self.sweep_unused().await {
            tracing::warn!(%error, "unused pack folders are left until the next sweep");
        }
    }

    async fn sweep_unused(&self) -> Result<(), SweepError> {
        let in_use: HashSet<_> = self.store.pack_versions_in_use().await?.into_iter().collect();
        Ok(self.folders.sweep(in_use).await?)
    }

    async fn install(&self, scope: Scope, incoming: IncomingPack) -> Result<Pack, InstallError> {
        let IncomingPack { install, files } = incoming;
        let digest = install.archive.digest.clone();
        let leaves_a_version = install.force;
        self.folders.make(scope.tenant(), &digest, move || io::Result::Ok(files)).await?;
        let installed = self.store.install_pack(scope, install, self.clock.now()).await;
        if leaves_a_version || installed.is_err() {
            self.tidy().await;
        }
        let pack = installed?;
        let (reference, version) = (&pack.reference, &pack.version);
        tracing::info!(pack = reference, version, digest, tenant = %pack.tenant, "pack installed");
        Ok(pack)
    }
}

/// Nobody replaces a pack that they may not see, nor one that is shared by all tenants.
fn may_replace(present: &Pack, uploader: &Principal) -> bool {
    present.tenant == uploader.scope().tenant() && may_see_pack(uploader, present)
}

#[async_trait]
impl PackFolders for Catalog {
    async fn folder(&self, tenant: TenantId, digest: &str) -> StoreResult<Result<PathBuf, String>> {
        if let Some(folder) = self.folders.find(tenant, digest) {
            return Ok(Ok(folder));
        }
        let Some(archive) = self.store.pack_archive(tenant, digest).await? else {
            return Ok(Err(format!("pack version {digest} is no longer installed")));
        };
        let expected = digest.to_owned();
        let made = self.folders.make(tenant, digest, move || read_stored(&archive, &expected));
        let made = made.await;
        Ok(made.map_err(|error| {
            format!("the folder of pack version {digest} cannot be made: {error}")
        }))
    }
}

/// An archive that this server stored.
fn read_stored(archive: &[u8], digest: &str) -> io::Result<PackFiles> {
    if canonical::digest(archive) != digest {
        return Err(io::Error::other("the stored archive is damaged"));
    }
    archive::read(archive, ArchiveLimits::NONE).map_err(io::Error::other)
}
