//! A pack that was read and checked, and is not installed yet.

use std::collections::BTreeSet;

use attune_domain::access::PermissionSet;
use attune_domain::pack::PackInstall;
use bytes::Bytes;

use crate::archive;
use crate::canonical;
use crate::catalog::InstallError;
use crate::files::PackFiles;
use crate::limits::ArchiveLimits;
use crate::manifest;

/// What an archive holds. Whether its sender may install that is for the caller to decide.
#[derive(Debug)]
pub struct IncomingPack {
    pub(crate) install: PackInstall,
    pub(crate) files: PackFiles,
}

impl IncomingPack {
    /// Reads and checks an archive, and writes it in canonical form.
    pub(crate) fn read(
        archive: &Bytes,
        limits: ArchiveLimits,
    ) -> Result<IncomingPack, InstallError> {
        let files = archive::read(archive, limits)?;
        let contents = manifest::read(&files)?;
        let install = PackInstall {
            pack: contents.pack,
            actions: contents.actions,
            permission_sets: contents.permission_sets,
            archive: canonical::archive(&files)?,
            force: false,
        };
        Ok(IncomingPack { install, files })
    }

    /// The pack's ref.
    pub fn reference(&self) -> &str {
        &self.install.pack.reference
    }

    /// The permission sets it brings.
    pub fn permission_sets(&self) -> &[PermissionSet] {
        &self.install.permission_sets
    }

    /// Refs of the permission sets that its actions want to run with.
    pub fn delegated_sets(&self) -> BTreeSet<&str> {
        let actions = self.install.actions.iter();
        actions.flat_map(|action| &action.default_permission_sets).map(String::as_str).collect()
    }
}
