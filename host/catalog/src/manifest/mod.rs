//! Reads the manifests of a pack: `pack.yaml`, `permission_sets/*.yaml`, `actions/*.yaml`.
//!
//! Keys that are not known are ignored, and so are the folders of components that this
//! version does not load; their files stay in the pack.

mod action;
mod echoed;
mod error;
mod pack;
mod permission_set;
mod permissions;
mod reference;
mod yaml;

use std::collections::HashSet;
use std::ffi::OsStr;
use std::path::Path;

use attune_domain::access::PermissionSet;
use attune_domain::action::NewAction;
use attune_domain::pack::NewPack;

pub use error::ManifestError;

use crate::files::{PackFile, PackFiles};

/// More components than any honest pack has; it bounds the work of reading them.
const COMPONENTS: usize = 1_000;

/// What the manifests of one pack say.
#[derive(Debug)]
pub(crate) struct Manifests {
    pub(crate) pack: NewPack,
    pub(crate) actions: Vec<NewAction>,
    pub(crate) permission_sets: Vec<PermissionSet>,
}

/// Reads all manifests of a pack.
pub(crate) fn read(files: &PackFiles) -> Result<Manifests, ManifestError> {
    let pack = pack::read(files)?;
    let mut permission_sets = Vec::new();
    for (path, file) in manifests(files, "permission_sets/")? {
        permission_sets.push((path, permission_set::read(path, file, &pack.reference)?));
    }
    let mut actions = Vec::new();
    for (path, file) in manifests(files, "actions/")? {
        let action = action::read(path, file, &pack.reference, files)?;
        actions.extend(action.map(|action| (path, action)));
    }
    no_ref_twice(permission_sets.iter().map(|(path, set)| (*path, set.reference.as_str())))?;
    no_ref_twice(actions.iter().map(|(path, action)| (*path, action.reference.as_str())))?;
    Ok(Manifests {
        pack,
        actions: actions.into_iter().map(|(_, action)| action).collect(),
        permission_sets: permission_sets.into_iter().map(|(_, set)| set).collect(),
    })
}

/// The YAML files right below a folder; deeper ones belong to somebody else.
fn manifests<'a>(
    files: &'a PackFiles,
    folder: &'static str,
) -> Result<Vec<(&'a str, &'a PackFile)>, ManifestError> {
    let is_manifest = |path: &str| {
        let name = Path::new(path.strip_prefix(folder).unwrap_or_default());
        let extension = name.extension().and_then(OsStr::to_str);
        name.components().count() == 1 && matches!(extension, Some("yaml" | "yml"))
    };
    let found: Vec<_> = files.iter().filter(|(path, _)| is_manifest(path)).collect();
    if found.len() > COMPONENTS {
        return Err(
            ManifestError::new(folder, "holds more than 1,000 manifests").remedy("split the pack")
        );
    }
    Ok(found)
}

fn no_ref_twice<'a>(refs: impl Iterator<Item = (&'a str, &'a str)>) -> Result<(), ManifestError> {
    let mut seen = HashSet::new();
    for (path, reference) in refs {
        if !seen.insert(reference) {
            let problem = format!("'{reference}' is defined by another file of the pack, too");
            return Err(ManifestError::new(path, problem).key("ref").remedy("give it another ref"));
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests;
