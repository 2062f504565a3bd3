//! Packs: what a tenant installs.

use std::path::PathBuf;

use async_trait::async_trait;

use crate::Json;
use crate::access::PermissionSet;
use crate::action::NewAction;
use crate::clock::Timestamp;
use crate::id::{IdentityId, PackId, TenantId};
use crate::store::StoreResult;

/// An installed pack. Its files, if it has any, are the immutable version named by `digest`.
#[derive(Clone, Debug)]
pub struct Pack {
    pub id: PackId,
    pub tenant: TenantId,
    pub reference: String,
    pub label: String,
    pub description: Option<String>,
    pub version: String,
    pub conf_schema: Json,
    pub config: Json,
    pub meta: Json,
    pub tags: Vec<String>,
    pub runtime_deps: Vec<String>,
    pub dependencies: Vec<String>,
    /// Visible to every identity.
    pub is_standard: bool,
    /// None for packs that came with the server.
    pub created_by: Option<IdentityId>,
    /// SHA-256 of the pack's archive in hex; none for a pack without files.
    pub digest: Option<String>,
    pub created: Timestamp,
    pub updated: Timestamp,
}

/// What is needed to create a [`Pack`], and what a forced upload replaces.
#[derive(Clone, Debug)]
pub struct NewPack {
    pub reference: String,
    pub label: String,
    pub description: Option<String>,
    pub version: String,
    pub conf_schema: Json,
    pub config: Json,
    pub meta: Json,
    pub tags: Vec<String>,
    pub runtime_deps: Vec<String>,
    pub dependencies: Vec<String>,
    pub is_standard: bool,
    pub created_by: Option<IdentityId>,
}

/// The parts of a pack that `PUT /packs/{ref}` may change; `None` leaves one as it is.
#[derive(Clone, Debug, Default)]
pub struct PackChange {
    pub label: Option<String>,
    pub description: Option<Option<String>>,
    pub version: Option<String>,
    pub conf_schema: Option<Json>,
    pub config: Option<Json>,
    pub meta: Option<Json>,
    pub tags: Option<Vec<String>>,
    pub runtime_deps: Option<Vec<String>>,
    pub dependencies: Option<Vec<String>>,
    pub is_standard: Option<bool>,
}

/// A whole pack, read and checked, ready to be installed in one commit.
#[derive(Clone, Debug)]
pub struct PackInstall {
    pub pack: NewPack,
    pub actions: Vec<NewAction>,
    pub permission_sets: Vec<PermissionSet>,
    /// The pack's files, as a gzip tar in canonical form.
    pub archive: PackArchive,
    /// Replace an installed pack of the same ref.
    pub force: bool,
}

/// The files of one pack version.
#[derive(Clone, Debug)]
pub struct PackArchive {
    /// SHA-256 of `bytes`, in hex.
    pub digest: String,
    pub bytes: bytes::Bytes,
}

/// Where the files of installed pack versions are on this machine.
#[async_trait]
pub trait PackFolders: Send + Sync {
    /// The folder of one version, made from the store if this machine lacks it.
    ///
    /// The inner error is a sentence for operators; a run that needs the folder fails with it.
    async fn folder(&self, tenant: TenantId, digest: &str) -> StoreResult<Result<PathBuf, String>>;
}
