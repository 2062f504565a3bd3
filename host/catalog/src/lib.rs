//! Packs: from an uploaded archive to rows in the store and a folder on disk.
//!
//! ```text
//! gzip tar ──archive──▶ PackFiles ──manifest──▶ NewPack, NewAction, PermissionSet
//!                           └──────canonical──▶ PackArchive ──folders──▶ <packs_dir>/<tenant>/<digest>/
//! ```
//! Every pack is taken for hostile: whatever is read here is bounded, and nothing of a pack
//! is ever executed here. [`Catalog`] puts the steps together; SQL and HTTP live elsewhere.

mod archive;
mod canonical;
mod catalog;
mod directory;
mod files;
mod folders;
mod incoming;
mod limits;
mod manifest;
mod readers;
#[cfg(test)]
mod shipped_packs;

pub use archive::ArchiveError;
pub use catalog::{Catalog, InstallError, SweepError};
pub use directory::archive_directory;
pub use incoming::IncomingPack;
pub use limits::ArchiveLimits;
pub use manifest::ManifestError;
