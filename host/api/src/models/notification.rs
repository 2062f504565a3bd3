//! What streams tell about executions (contract, operations section 7).

use attune_domain::execution::{ExecutionStatus, ExecutionSummary};
use attune_domain::notice::ExecutionNotice;
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
    pub(crate) fn new(notice: &ExecutionNotice) -> ExecutionEvent {
        ExecutionEvent {
            entity_type: "execution",
            entity_id: notice.execution.0,
            id: notice.execution.0,
            action_id: notice.action.map(|id| id.0),
            action_ref: notice.action_ref.clone(),
            status: notice.status.as_str(),
            old_status: notice.old_status.map(ExecutionStatus::as_str),
            enforcement: None,
            rule_ref: None,
            trigger_ref: None,
            parent: notice.parent.map(|id| id.0),
            started_at: notice.started_at,
            workflow_task: None,
            created: notice.created,
            updated: notice.updated,
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
