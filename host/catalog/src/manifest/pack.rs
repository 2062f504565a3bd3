//! `pack.yaml`.

use attune_domain::pack::NewPack;
use attune_domain::{Json, JsonObject};
use serde::Deserialize;

use super::{ManifestError, reference, yaml};
use crate::files::{PACK_YAML, PackFiles};

const LABEL_CHARS: usize = 255;
const VERSION_CHARS: usize = 50;

/// The keys that are acted on. Some have two spellings; the first one wins.
#[derive(Debug, Deserialize)]
struct PackYaml {
    #[serde(rename = "ref")]
    reference: Option<String>,
    label: Option<String>,
    name: Option<String>,
    version: Option<String>,
    description: Option<String>,
    conf_schema: Option<Json>,
    config_schema: Option<Json>,
    config: Option<JsonObject>,
    meta: Option<JsonObject>,
    metadata: Option<JsonObject>,
    tags: Option<Vec<String>>,
    keywords: Option<Vec<String>>,
    runtime_deps: Option<Vec<String>>,
    dependencies: Option<Vec<String>>,
    is_standard: Option<bool>,
    system: Option<bool>,
}

/// Reads `pack.yaml`. Who creates the pack is for the caller to say.
pub(super) fn read(files: &PackFiles) -> Result<NewPack, ManifestError> {
    let bytes = files.get(PACK_YAML).map(|file| file.bytes.as_ref()).unwrap_or_default();
    let yaml: PackYaml = yaml::read(PACK_YAML, bytes)?;
    let reference = reference::of_pack(PACK_YAML, yaml.reference)?;
    let label = yaml.label.or(yaml.name).unwrap_or_else(|| reference.clone());
    let version = yaml.version.ok_or_else(|| missing("version"))?;
    check_length("label", &label, LABEL_CHARS)?;
    check_length("version", &version, VERSION_CHARS)?;
    let conf_schema =
        yaml::schema(PACK_YAML, "conf_schema", yaml.conf_schema.or(yaml.config_schema))?;
    Ok(NewPack {
        reference,
        label,
        description: yaml.description,
        version,
        conf_schema: conf_schema.unwrap_or_else(empty),
        config: yaml.config.map_or_else(empty, Json::Object),
        meta: yaml.meta.or(yaml.metadata).map_or_else(empty, Json::Object),
        tags: yaml.tags.or(yaml.keywords).unwrap_or_default(),
        runtime_deps: yaml.runtime_deps.unwrap_or_default(),
        dependencies: yaml.dependencies.unwrap_or_default(),
        is_standard: yaml.is_standard.or(yaml.system).unwrap_or(false),
        created_by: None,
    })
}

fn empty() -> Json {
    Json::Object(JsonObject::new())
}

fn missing(key: &'static str) -> ManifestError {
    ManifestError::new(PACK_YAML, "is missing").key(key).remedy("add it")
}

fn check_length(key: &'static str, text: &str, limit: usize) -> Result<(), ManifestError> {
    let length = text.chars().count();
    if (1..=limit).contains(&length) {
        return Ok(());
    }
    let problem = format!("has {length} characters");
    Err(ManifestError::new(PACK_YAML, problem).key(key).remedy(format!("use 1 to {limit}")))
}
