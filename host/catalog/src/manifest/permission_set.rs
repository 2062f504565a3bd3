//! `permission_sets/*.yaml`.

use attune_domain::Json;
use attune_domain::access::PermissionSet;
use serde::Deserialize;

use super::{ManifestError, reference, yaml};
use crate::files::PackFile;

#[derive(Debug, Deserialize)]
struct PermissionSetYaml {
    #[serde(rename = "ref")]
    reference: Option<String>,
    label: Option<String>,
    description: Option<String>,
    grants: Option<Vec<Json>>,
}

/// Reads one set. Its grants are kept verbatim, whatever they hold; what is no grant grants
/// nothing.
pub(super) fn read(
    path: &str,
    file: &PackFile,
    pack_ref: &str,
) -> Result<PermissionSet, ManifestError> {
    let yaml: PermissionSetYaml = yaml::read(path, &file.bytes)?;
    Ok(PermissionSet {
        reference: reference::of_component(path, yaml.reference, pack_ref)?,
        label: yaml.label,
        description: yaml.description,
        grants: Json::Array(yaml.grants.unwrap_or_default()),
    })
}
