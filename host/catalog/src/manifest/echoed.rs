//! Keys of an action that the API shows as they are and this version does not act on.

use std::collections::BTreeMap;
use std::num::NonZeroU32;

use attune_domain::{Json, JsonObject};
use serde::{Deserialize, Serialize};

/// Read by the names of the manifest, written by those of the wire.
#[derive(Debug, Deserialize, Serialize)]
pub(super) struct Echoed {
    #[serde(rename(serialize = "runtime_version_constraint"))]
    runtime_version: Option<String>,
    required_worker_runtimes: Option<BTreeMap<String, String>>,
    worker_selector: Option<BTreeMap<String, String>>,
    worker_tolerations: Option<Vec<JsonObject>>,
    worker_affinity: Option<JsonObject>,
    log_retention_policy: Option<RetentionPolicy>,
    log_retention_limit: Option<NonZeroU32>,
    artifact_retention_policy: Option<RetentionPolicy>,
    artifact_retention_limit: Option<NonZeroU32>,
}

/// Wire strings (contract, models section 1).
#[derive(Clone, Copy, Debug, Deserialize, Serialize)]
#[serde(rename_all = "lowercase")]
enum RetentionPolicy {
    Versions,
    Days,
    Hours,
    Minutes,
}

impl Echoed {
    /// The keys that were given, as an object.
    pub(super) fn into_json(self) -> Json {
        // Every key and value here has a JSON form, so the serializer cannot fail.
        let mut json = serde_json::to_value(self).unwrap_or_default();
        if let Some(object) = json.as_object_mut() {
            object.retain(|_, value| !value.is_null());
        }
        json
    }
}
