//! The packs of this repository, read as the server reads them.

use std::path::PathBuf;

use attune_domain::access::Grant;

use crate::archive;
use crate::directory::archive_directory;
use crate::limits::ArchiveLimits;
use crate::manifest::{self, Manifests};

fn pack(name: &str) -> Manifests {
    let folder = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../../packs").join(name);
    let archive = archive_directory(&folder).unwrap();
    manifest::read(&archive::read(&archive, ArchiveLimits::default()).unwrap()).unwrap()
}

fn action_refs(pack: &Manifests) -> Vec<&str> {
    pack.actions.iter().map(|action| action.reference.as_str()).collect()
}

#[test]
fn core_is_what_the_contract_says() {
    let core = pack("core");
    assert_eq!((core.pack.reference.as_str(), core.pack.version.as_str()), ("core", "1.0.0"));
    assert!(core.pack.is_standard);
    assert_eq!(action_refs(&core), ["core.echo", "core.http_request", "core.noop", "core.sleep"]);
}

#[test]
fn every_grant_of_core_can_be_read() {
    let sets = pack("core").permission_sets;
    let grants: Vec<(&str, usize)> = sets
        .iter()
        .map(|set| (set.reference.as_str(), Grant::read_all(&set.grants).len()))
        .collect();
    let rows = [("core.admin", 17), ("core.editor", 10), ("core.executor", 9), ("core.viewer", 10)];
    assert_eq!(grants, rows);
    for set in &sets {
        let stored = set.grants.as_array().map(Vec::len);
        assert_eq!(stored, Some(Grant::read_all(&set.grants).len()), "{}", set.reference);
    }
}

#[test]
fn the_examples_can_be_installed() {
    let examples = pack("examples");
    assert_eq!(examples.actions.len(), 9);
    assert!(examples.actions.iter().all(|action| action.description.is_some()));
}
