//! What streams tell about executions (contract, operations section 7).

use attune_domain::execution::{Execution, ExecutionStatus, ExecutionSummary};
use chrono::{DateTime, Utc};
use serde::Serialize;
use serde_json::Value;
use utoipa::ToSchema;

/// The payload of `execution_created` and `execution_status_changed`.
#[derive(Serialize, ToSchema)]
pub(crate) struct ExecutionEvent {
    entity_type: &'static str,
    entity_id: i64,
    id: i64,
    action_id: Option<i64>,
    action_ref: String,
    status: &'static str,
    /// Only when the status has changed.
    #[serde(skip_serializing_if = "Option::is_none")]
    old_status: Option<&'static str>,
    enforcement: Option<i64>,
    rule_ref: Option<String>,
    trigger_ref: Option<String>,
    parent: Option<i64>,
    started_at: Option<DateTime<Utc>>,
    workflow_task: Option<Value>,
    created: DateTime<Utc>,
    updated: DateTime<Utc>,
}

impl ExecutionEvent {
    /// `status` may be a step before the one that `execution` shows.
    pub(crate) fn new(
        execution: &Execution,
        status: ExecutionStatus,
        old_status: Option<ExecutionStatus>,
    ) -> ExecutionEvent {
        ExecutionEvent {
            entity_type: "execution",
            entity_id: execution.id.0,
            id: execution.id.0,
            action_id: execution.action.map(|id| id.0),
            action_ref: execution.action_ref.clone(),
            status: status.as_str(),
            old_status: old_status.map(ExecutionStatus::as_str),
            enforcement: None,
            rule_ref: None,
            trigger_ref: None,
            parent: execution.parent.map(|id| id.0),
            started_at: execution.state.started_at,
            workflow_task: None,
            created: execution.created,
            updated: execution.state.updated,
        }
    }

    /// From a list's row, which does not have the action's id.
    pub(crate) fn of_row(row: &ExecutionSummary) -> ExecutionEvent {
        ExecutionEvent {
            entity_type: "execution",
            entity_id: row.id.0,
            id: row.id.0,
            action_id: None,
            action_ref: row.action_ref.clone(),
            status: row.status.as_str(),
            old_status: None,
            enforcement: None,
            rule_ref: None,
            trigger_ref: None,
            parent: row.parent.map(|id| id.0),
            started_at: row.started_at,
            workflow_task: None,
            created: row.created,
            updated: row.updated,
        }
    }
}
