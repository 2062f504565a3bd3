//! Executions.

use std::collections::BTreeMap;

use attune_domain::JsonObject;
use attune_domain::execution::{Execution, ExecutionStats as Stats, ExecutionSummary as Summary};
use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use utoipa::ToSchema;

use super::extras::{Given, Placement, RetentionPolicyType};
use crate::input::{Checks, Validate};
use crate::problem::Problem;

#[derive(Deserialize, ToSchema)]
pub(crate) struct CreateExecutionRequest {
    pub(crate) action_ref: String,
    /// An object. Not checked against the action's schema here: that shows when it runs.
    #[schema(value_type = Option<Value>)]
    pub(crate) parameters: Option<JsonObject>,
    /// Environment variables for the process.
    #[schema(value_type = Option<Value>)]
    pub(crate) env_vars: Option<JsonObject>,
    pub(crate) permission_set_refs: Option<Vec<String>>,
    artifact_retention_policy: Option<RetentionPolicyType>,
    artifact_retention_limit: Option<i64>,
    worker_selector: Option<Value>,
    worker_tolerations: Option<Value>,
    worker_affinity: Option<Value>,
}

impl Validate for CreateExecutionRequest {
    fn validate(&self) -> Result<(), Problem> {
        self.environment()?;
        Checks::default()
            .text("action_ref", &self.action_ref, 1, 255)
            .positive("artifact_retention_limit", self.artifact_retention_limit)
            .done()
    }
}

impl CreateExecutionRequest {
    /// The environment as text; numbers and booleans are written out.
    pub(crate) fn environment(&self) -> Result<BTreeMap<String, String>, Problem> {
        let variables = self.env_vars.iter().flatten();
        variables.map(|(name, value)| Ok((name.clone(), variable(name, value)?))).collect()
    }

    /// What is echoed.
    pub(crate) fn take_extra(&mut self) -> JsonObject {
        Given::default()
            .with("artifact_retention_policy", self.artifact_retention_policy.take())
            .with("artifact_retention_limit", self.artifact_retention_limit.take())
            .with("worker_selector", self.worker_selector.take())
            .with("worker_tolerations", self.worker_tolerations.take())
            .with("worker_affinity", self.worker_affinity.take())
            .into_object()
    }
}

fn variable(name: &str, value: &Value) -> Result<String, Problem> {
    let usable_name = !name.is_empty() && !name.contains(['=', '\0']);
    match value {
        Value::String(text) if usable_name && !text.contains('\0') => Ok(text.clone()),
        Value::Number(_) | Value::Bool(_) if usable_name => Ok(value.to_string()),
        _ if !usable_name => Err(Problem::invalid("env_vars", "a name is empty or has '=' or NUL")),
        _ => {
            let field = format!("env_vars.{name}");
            Err(Problem::invalid(&field, "must be a text without NUL, a number or a boolean"))
        }
    }
}

#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct ExecutionResponse {
    id: i64,
    action: Option<i64>,
    action_ref: String,
    /// The parameters as they were sent, secret ones hidden.
    #[schema(value_type = Option<Value>)]
    config: Option<JsonObject>,
    parent: Option<i64>,
    enforcement: Option<i64>,
    executor: Option<i64>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    permission_set_refs: Vec<String>,
    #[serde(flatten)]
    placement: Placement,
    worker: Option<i64>,
    /// `requested`, `scheduling`, `scheduled`, `running`, `completed`, `failed`, `canceling`,
    /// `cancelled`, `timeout` or `abandoned`.
    status: &'static str,
    result: Option<Value>,
    #[serde(skip_serializing_if = "Option::is_none")]
    started_at: Option<DateTime<Utc>>,
    created: DateTime<Utc>,
    updated: DateTime<Utc>,
}

impl ExecutionResponse {
    /// What everybody in the tenant may see.
    pub(crate) fn redacted(mut execution: Execution) -> ExecutionResponse {
        if let Some(redacted) = execution.redacted_config.take() {
            execution.config = Some(redacted);
        }
        ExecutionResponse::revealed(execution)
    }

    /// With the secret parameters.
    pub(crate) fn revealed(execution: Execution) -> ExecutionResponse {
        ExecutionResponse {
            id: execution.id.0,
            action: execution.action.map(|id| id.0),
            action_ref: execution.action_ref,
            config: execution.config,
            parent: execution.parent.map(|id| id.0),
            enforcement: None,
            executor: execution.executor.map(|id| id.0),
            permission_set_refs: execution.permission_set_refs.unwrap_or_default(),
            placement: Placement::shown(&execution.extra),
            worker: execution.state.worker.map(|id| id.0),
            status: execution.state.status.as_str(),
            result: execution.state.result,
            started_at: execution.state.started_at,
            created: execution.created,
            updated: execution.state.updated,
        }
    }
}

#[derive(Serialize, ToSchema)]
pub(crate) struct ExecutionSummary {
    id: i64,
    action_ref: String,
    status: &'static str,
    parent: Option<i64>,
    enforcement: Option<i64>,
    rule_ref: Option<String>,
    trigger_ref: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    started_at: Option<DateTime<Utc>>,
    created: DateTime<Utc>,
    updated: DateTime<Utc>,
}

impl From<Summary> for ExecutionSummary {
    fn from(row: Summary) -> ExecutionSummary {
        ExecutionSummary {
            id: row.id.0,
            action_ref: row.action_ref,
            status: row.status.as_str(),
            parent: row.parent.map(|id| id.0),
            enforcement: None,
            rule_ref: None,
            trigger_ref: None,
            started_at: row.started_at,
            created: row.created,
            updated: row.updated,
        }
    }
}

#[derive(Serialize, ToSchema)]
pub(crate) struct ExecutionStats {
    total: u64,
    completed: u64,
    failed: u64,
    running: u64,
    pending: u64,
    cancelled: u64,
    timeout: u64,
    abandoned: u64,
}

impl From<Stats> for ExecutionStats {
    fn from(stats: Stats) -> ExecutionStats {
        ExecutionStats {
            total: stats.total,
            completed: stats.completed,
            failed: stats.failed,
            running: stats.running,
            pending: stats.pending,
            cancelled: stats.cancelled,
            timeout: stats.timeout,
            abandoned: stats.abandoned,
        }
    }
}
