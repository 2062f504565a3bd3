//! Actions, as responses. Requests are in [`request`].

pub(crate) mod request;

use attune_domain::JsonObject;
use attune_domain::action::Action;
use chrono::{DateTime, Utc};
use serde::Serialize;
use serde_json::Value;
use utoipa::ToSchema;

use super::extras::{Placement, filled};

/// What is echoed of an action, each left out when null or empty.
#[derive(Serialize, ToSchema)]
pub(crate) struct ActionExtras {
    #[serde(skip_serializing_if = "Option::is_none")]
    runtime_version_constraint: Option<Value>,
    #[serde(skip_serializing_if = "Option::is_none")]
    required_worker_runtimes: Option<Value>,
    #[serde(skip_serializing_if = "Option::is_none")]
    log_retention_policy: Option<Value>,
    #[serde(skip_serializing_if = "Option::is_none")]
    log_retention_limit: Option<Value>,
    #[serde(flatten)]
    placement: Placement,
}

impl ActionExtras {
    fn shown(extra: &Value) -> ActionExtras {
        let none = JsonObject::new();
        let extra = extra.as_object().unwrap_or(&none);
        ActionExtras {
            runtime_version_constraint: filled(extra, "runtime_version_constraint"),
            required_worker_runtimes: filled(extra, "required_worker_runtimes"),
            log_retention_policy: filled(extra, "log_retention_policy"),
            log_retention_limit: filled(extra, "log_retention_limit"),
            placement: Placement::shown(extra),
        }
    }
}

#[derive(Serialize, ToSchema)]
pub(crate) struct ActionResponse {
    id: i64,
    #[serde(rename = "ref")]
    reference: String,
    pack: i64,
    pack_ref: String,
    label: String,
    description: Option<String>,
    entrypoint: String,
    /// Runtimes have no rows of their own in this version.
    runtime: Option<i64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    runtime_ref: Option<String>,
    param_schema: Option<Value>,
    out_schema: Option<Value>,
    is_adhoc: bool,
    accesses_mcp: bool,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    default_execution_permission_set_refs: Vec<String>,
    #[serde(flatten)]
    extras: ActionExtras,
    created: DateTime<Utc>,
    updated: DateTime<Utc>,
}

impl From<Action> for ActionResponse {
    fn from(action: Action) -> ActionResponse {
        ActionResponse {
            id: action.id.0,
            reference: action.reference,
            pack: action.pack.0,
            pack_ref: action.pack_ref,
            label: action.label,
            description: action.description,
            entrypoint: action.entrypoint,
            runtime: None,
            runtime_ref: action.runtime_ref,
            param_schema: action.param_schema,
            out_schema: action.out_schema,
            is_adhoc: action.is_adhoc,
            accesses_mcp: action.accesses_mcp,
            default_execution_permission_set_refs: action.default_permission_sets,
            extras: ActionExtras::shown(&action.extra),
            created: action.created,
            updated: action.updated,
        }
    }
}

#[derive(Serialize, ToSchema)]
pub(crate) struct ActionSummary {
    id: i64,
    #[serde(rename = "ref")]
    reference: String,
    pack_ref: String,
    label: String,
    description: Option<String>,
    entrypoint: String,
    /// Runtimes have no rows of their own in this version.
    runtime: Option<i64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    runtime_ref: Option<String>,
    accesses_mcp: bool,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    default_execution_permission_set_refs: Vec<String>,
    #[serde(flatten)]
    extras: ActionExtras,
    created: DateTime<Utc>,
    updated: DateTime<Utc>,
}

impl From<Action> for ActionSummary {
    fn from(action: Action) -> ActionSummary {
        ActionSummary {
            id: action.id.0,
            reference: action.reference,
            pack_ref: action.pack_ref,
            label: action.label,
            description: action.description,
            entrypoint: action.entrypoint,
            runtime: None,
            runtime_ref: action.runtime_ref,
            accesses_mcp: action.accesses_mcp,
            default_execution_permission_set_refs: action.default_permission_sets,
            extras: ActionExtras::shown(&action.extra),
            created: action.created,
            updated: action.updated,
        }
    }
}

#[derive(Serialize, ToSchema)]
pub(crate) struct ActionSearchHit {
    #[serde(rename = "ref")]
    reference: String,
    pack_ref: String,
    label: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    description: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    runtime_ref: Option<String>,
    is_workflow: bool,
    accesses_mcp: bool,
}

impl From<Action> for ActionSearchHit {
    fn from(action: Action) -> ActionSearchHit {
        ActionSearchHit {
            reference: action.reference,
            pack_ref: action.pack_ref,
            label: action.label,
            description: action.description,
            runtime_ref: action.runtime_ref,
            is_workflow: false,
            accesses_mcp: action.accesses_mcp,
        }
    }
}

#[cfg(test)]
mod tests {
    use attune_domain::action::RunSpec;
    use attune_domain::id::{ActionId, PackId, TenantId};
    use serde_json::{json, to_value};

    use super::*;

    fn action(extra: Value) -> Action {
        let moment: DateTime<Utc> = "2026-01-02T03:04:05.123456Z".parse().unwrap();
        Action {
            id: ActionId(4),
            tenant: TenantId(1),
            reference: "p.a".to_owned(),
            pack: PackId(2),
            pack_ref: "p".to_owned(),
            label: "A".to_owned(),
            description: None,
            entrypoint: "a.py".to_owned(),
            runtime_ref: None,
            param_schema: None,
            out_schema: None,
            is_adhoc: false,
            accesses_mcp: false,
            default_permission_sets: Vec::new(),
            extra,
            run: RunSpec::default(),
            created: moment,
            updated: moment,
        }
    }

    #[test]
    fn required_keys_are_null_and_optional_ones_absent() {
        let shown = to_value(ActionResponse::from(action(json!({"worker_selector": {}})))).unwrap();
        let expected = json!({"id": 4, "ref": "p.a", "pack": 2, "pack_ref": "p", "label": "A",
            "description": null, "entrypoint": "a.py", "runtime": null, "param_schema": null,
            "out_schema": null, "is_adhoc": false, "accesses_mcp": false,
            "created": "2026-01-02T03:04:05.123456Z", "updated": "2026-01-02T03:04:05.123456Z"});
        assert_eq!(shown, expected);
    }

    #[test]
    fn what_was_given_is_echoed() {
        let extra = json!({"worker_selector": {"zone": "a"}, "log_retention_limit": 3});
        let shown = to_value(ActionSummary::from(action(extra))).unwrap();
        assert_eq!(shown["worker_selector"], json!({"zone": "a"}));
        assert_eq!(shown["log_retention_limit"], json!(3));
        assert!(shown.get("worker_affinity").is_none());
    }
}
