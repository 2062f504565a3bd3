//! Requests that create and change actions.

use std::collections::BTreeMap;

use attune_domain::JsonObject;
use attune_domain::action::{ActionChange, NewAction, RunSpec, runtime_ref};
use serde::Deserialize;
use serde_json::Value;
use utoipa::ToSchema;

use super::super::extras::{Given, RetentionPolicyType};
use crate::input::patch::present;
use crate::input::{Checks, Patch, Validate};
use crate::problem::Problem;

#[derive(Deserialize, ToSchema)]
pub(crate) struct CreateActionRequest {
    #[schema(min_length = 1, max_length = 255)]
    #[serde(rename = "ref")]
    pub(crate) reference: String,
    #[schema(min_length = 1, max_length = 255)]
    pub(crate) pack_ref: String,
    #[schema(min_length = 1, max_length = 255)]
    label: String,
    description: Option<String>,
    /// A script's body or file; whether it can run shows at execution.
    #[schema(min_length = 1, max_length = 1024)]
    entrypoint: String,
    runtime_ref: Option<String>,
    runtime_version_constraint: Option<String>,
    required_worker_runtimes: Option<BTreeMap<String, String>>,
    worker_selector: Option<BTreeMap<String, String>>,
    #[schema(value_type = Option<Vec<Value>>)]
    worker_tolerations: Option<Vec<JsonObject>>,
    #[schema(value_type = Option<Value>)]
    worker_affinity: Option<JsonObject>,
    param_schema: Option<Value>,
    out_schema: Option<Value>,
    accesses_mcp: Option<bool>,
    #[serde(default)]
    pub(crate) default_execution_permission_set_refs: Vec<String>,
    artifact_retention_policy: Option<RetentionPolicyType>,
    #[schema(minimum = 1)]
    artifact_retention_limit: Option<i64>,
    log_retention_policy: Option<RetentionPolicyType>,
    #[schema(minimum = 1)]
    log_retention_limit: Option<i64>,
}

impl Validate for CreateActionRequest {
    fn validate(&self) -> Result<(), Problem> {
        Checks::default()
            .text("ref", &self.reference, 1, 255)
            .text("pack_ref", &self.pack_ref, 1, 255)
            .text("label", &self.label, 1, 255)
            .text("entrypoint", &self.entrypoint, 1, 1024)
            .positive("artifact_retention_limit", self.artifact_retention_limit)
            .positive("log_retention_limit", self.log_retention_limit)
            .param_schema(self.param_schema.as_ref())
            .done()
    }
}

impl From<CreateActionRequest> for NewAction {
    fn from(request: CreateActionRequest) -> NewAction {
        let extra = Given::default()
            .with("runtime_version_constraint", request.runtime_version_constraint)
            .with("required_worker_runtimes", request.required_worker_runtimes)
            .with("worker_selector", request.worker_selector)
            .with("worker_tolerations", request.worker_tolerations)
            .with("worker_affinity", request.worker_affinity)
            .with("artifact_retention_policy", request.artifact_retention_policy)
            .with("artifact_retention_limit", request.artifact_retention_limit)
            .with("log_retention_policy", request.log_retention_policy)
            .with("log_retention_limit", request.log_retention_limit);
        NewAction {
            reference: request.reference,
            label: request.label,
            description: request.description,
            entrypoint: request.entrypoint,
            runtime_ref: request.runtime_ref.as_deref().map(canonical),
            param_schema: request.param_schema,
            out_schema: request.out_schema,
            is_adhoc: true,
            accesses_mcp: request.accesses_mcp.unwrap_or(false),
            default_permission_sets: request.default_execution_permission_set_refs,
            extra: Value::Object(extra.into_object()),
            run: RunSpec::default(),
        }
    }
}

#[derive(Deserialize, ToSchema)]
pub(crate) struct UpdateActionRequest {
    #[schema(min_length = 1, max_length = 255)]
    label: Option<String>,
    /// Null takes it away; left out, it stays.
    #[serde(default, deserialize_with = "present")]
    #[schema(value_type = Option<String>)]
    description: Option<Patch<String>>,
    #[schema(min_length = 1, max_length = 1024)]
    entrypoint: Option<String>,
    runtime_ref: Option<String>,
    runtime_version_constraint: Option<Patch<String>>,
    required_worker_runtimes: Option<BTreeMap<String, String>>,
    worker_selector: Option<BTreeMap<String, String>>,
    #[schema(value_type = Option<Vec<Value>>)]
    worker_tolerations: Option<Vec<JsonObject>>,
    #[schema(value_type = Option<Value>)]
    worker_affinity: Option<JsonObject>,
    param_schema: Option<Value>,
    out_schema: Option<Value>,
    accesses_mcp: Option<bool>,
    pub(crate) default_execution_permission_set_refs: Option<Vec<String>>,
    artifact_retention_policy: Option<Patch<RetentionPolicyType>>,
    artifact_retention_limit: Option<Patch<i64>>,
    log_retention_policy: Option<Patch<RetentionPolicyType>>,
    log_retention_limit: Option<Patch<i64>>,
}

impl Validate for UpdateActionRequest {
    fn validate(&self) -> Result<(), Problem> {
        Checks::default()
            .maybe("label", self.label.as_ref(), 1, 255)
            .maybe("entrypoint", self.entrypoint.as_ref(), 1, 1024)
            .positive("artifact_retention_limit", number(self.artifact_retention_limit.as_ref()))
            .positive("log_retention_limit", number(self.log_retention_limit.as_ref()))
            .param_schema(self.param_schema.as_ref())
            .done()
    }
}

impl From<UpdateActionRequest> for ActionChange {
    fn from(request: UpdateActionRequest) -> ActionChange {
        let extra = Given::default()
            .with(
                "runtime_version_constraint",
                request.runtime_version_constraint.map(Patch::into_value),
            )
            .with("required_worker_runtimes", request.required_worker_runtimes)
            .with("worker_selector", request.worker_selector)
            .with("worker_tolerations", request.worker_tolerations)
            .with("worker_affinity", request.worker_affinity)
            .with(
                "artifact_retention_policy",
                request.artifact_retention_policy.map(Patch::into_value),
            )
            .with(
                "artifact_retention_limit",
                request.artifact_retention_limit.map(Patch::into_value),
            )
            .with("log_retention_policy", request.log_retention_policy.map(Patch::into_value))
            .with("log_retention_limit", request.log_retention_limit.map(Patch::into_value))
            .into_object();
        ActionChange {
            label: request.label,
            description: request.description.map(Patch::into_value),
            entrypoint: request.entrypoint,
            runtime_ref: request.runtime_ref.as_deref().map(canonical),
            param_schema: request.param_schema,
            out_schema: request.out_schema,
            accesses_mcp: request.accesses_mcp,
            default_permission_sets: request.default_execution_permission_set_refs,
            extra: (!extra.is_empty()).then_some(extra),
        }
    }
}

fn canonical(name: &str) -> String {
    runtime_ref(name).to_owned()
}

fn number(patch: Option<&Patch<i64>>) -> Option<i64> {
    match patch {
        Some(Patch::Set { value }) => Some(*value),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn clearing_is_not_leaving_alone() {
        let body = json!({"runtime_version_constraint": {"op": "clear"},
            "log_retention_limit": {"op": "set", "value": 3}, "description": null});
        let change =
            ActionChange::from(serde_json::from_value::<UpdateActionRequest>(body).unwrap());
        let extra = change.extra.unwrap();
        assert_eq!(extra.get("runtime_version_constraint"), Some(&Value::Null));
        assert_eq!(extra.get("log_retention_limit"), Some(&json!(3)));
        assert!(!extra.contains_key("log_retention_policy"));
        assert_eq!(change.description, Some(None));
    }

    #[test]
    fn a_runtime_has_one_canonical_name() {
        let body = json!({"ref": "p.a", "pack_ref": "p", "label": "A", "entrypoint": "echo",
            "runtime_ref": "bash"});
        let request: CreateActionRequest = serde_json::from_value(body).unwrap();
        let new = NewAction::from(request);
        assert_eq!(new.runtime_ref.as_deref(), Some("core.shell"));
        assert!(new.is_adhoc);
    }
}
