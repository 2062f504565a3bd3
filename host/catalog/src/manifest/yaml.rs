//! Parses one YAML file within a budget: aliases, depth and size cannot blow up.

use attune_domain::Json;
use serde::de::DeserializeOwned;
use serde_saphyr::UserMessageFormatter;

use super::ManifestError;

/// A hand-written manifest is a few KiB.
const MANIFEST_BYTES: usize = 256 << 10;

/// Nodes of one manifest after aliases are resolved.
const NODES: usize = 20_000;

/// Reads a manifest.
pub(super) fn read<T: DeserializeOwned>(file: &str, yaml: &[u8]) -> Result<T, ManifestError> {
    if yaml.len() > MANIFEST_BYTES {
        return Err(ManifestError::new(file, "is larger than 256 KiB"));
    }
    let text = std::str::from_utf8(yaml)
        .map_err(|_| ManifestError::new(file, "is not UTF-8").remedy("save it as UTF-8"))?;
    let options = serde_saphyr::options! {
        budget: serde_saphyr::budget! { max_nodes: NODES, max_events: 4 * NODES },
        alias_limits: serde_saphyr::alias_limits! { max_total_replayed_events: NODES },
        // YAML 1.2: a parameter named `n` or a country `no` is text.
        strict_booleans: true,
        with_snippet: false,
    };
    serde_saphyr::from_str_with_options(text, options).map_err(|error| {
        ManifestError::new(file, error.render_with_formatter(&UserMessageFormatter))
    })
}

/// A schema, which must be a mapping.
pub(super) fn schema(
    file: &str,
    key: &'static str,
    schema: Option<Json>,
) -> Result<Option<Json>, ManifestError> {
    match schema {
        None | Some(Json::Null) => Ok(None),
        Some(Json::Object(object)) => Ok(Some(Json::Object(object))),
        Some(_) => Err(ManifestError::new(file, "is not a mapping")
            .key(key)
            .remedy("write `<name>: {type: …}` for each value")),
    }
}
