//! Fields that are stored and echoed and not acted on: where work may run, and how
//! long its output is kept.

use attune_domain::JsonObject;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use utoipa::ToSchema;

/// Wire strings (contract, models section 1).
#[derive(Clone, Copy, Debug, PartialEq, Deserialize, Serialize, ToSchema)]
#[serde(rename_all = "lowercase")]
pub(crate) enum RetentionPolicyType {
    Versions,
    Days,
    Hours,
    Minutes,
}

/// What actions and executions share of it. Each is left out when null or empty.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct Placement {
    #[serde(skip_serializing_if = "Option::is_none")]
    worker_selector: Option<Value>,
    #[serde(skip_serializing_if = "Option::is_none")]
    worker_tolerations: Option<Value>,
    #[serde(skip_serializing_if = "Option::is_none")]
    worker_affinity: Option<Value>,
    #[serde(skip_serializing_if = "Option::is_none")]
    artifact_retention_policy: Option<Value>,
    #[serde(skip_serializing_if = "Option::is_none")]
    artifact_retention_limit: Option<Value>,
}

impl Placement {
    pub(crate) fn shown(extra: &JsonObject) -> Placement {
        Placement {
            worker_selector: filled(extra, "worker_selector"),
            worker_tolerations: filled(extra, "worker_tolerations"),
            worker_affinity: filled(extra, "worker_affinity"),
            artifact_retention_policy: filled(extra, "artifact_retention_policy"),
            artifact_retention_limit: filled(extra, "artifact_retention_limit"),
        }
    }
}

/// A value that is neither null nor empty.
pub(crate) fn filled(extra: &JsonObject, key: &str) -> Option<Value> {
    let value = extra.get(key)?;
    let empty = match value {
        Value::Null => true,
        Value::Array(items) => items.is_empty(),
        Value::Object(fields) => fields.is_empty(),
        _ => false,
    };
    (!empty).then(|| value.clone())
}

/// Collects the fields that a request gave.
#[derive(Default)]
pub(crate) struct Given(JsonObject);

impl Given {
    pub(crate) fn with(mut self, key: &str, value: Option<impl Serialize>) -> Given {
        // These are strings, numbers, lists and maps with text keys: all have a JSON form.
        if let Some(value) = value.and_then(|value| serde_json::to_value(value).ok()) {
            self.0.insert(key.to_owned(), value);
        }
        self
    }

    pub(crate) fn into_object(self) -> JsonObject {
        self.0
    }
}
