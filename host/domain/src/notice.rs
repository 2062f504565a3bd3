//! What changed, told to whoever watches: streams, waiters, later the WebSocket.

use std::sync::Arc;

use crate::clock::Timestamp;
use crate::execution::{Execution, ExecutionStatus};
use crate::id::{ActionId, ExecutionId, TenantId};

/// One committed change, or new output.
#[derive(Clone, Debug)]
pub enum Notice {
    /// An execution has come to be or has another status.
    Execution(Arc<ExecutionNotice>),
    /// A running execution wrote to stdout or stderr, and it can be read from the store.
    Output { tenant: TenantId, execution: ExecutionId },
    /// Other servers may have changed something without its being told here.
    Missed,
}

/// A step of an execution. Neither parameters nor results are in it: a watcher that
/// stops reading keeps thousands of notices in memory.
#[derive(Clone, Debug)]
pub struct ExecutionNotice {
    pub execution: ExecutionId,
    pub tenant: TenantId,
    /// None once the action has been deleted.
    pub action: Option<ActionId>,
    pub action_ref: String,
    pub parent: Option<ExecutionId>,
    /// The status that this step led to; a commit that makes two steps gives two notices.
    pub status: ExecutionStatus,
    /// None for a new execution.
    pub old_status: Option<ExecutionStatus>,
    /// Of the row after the commit, as are the times.
    pub version: i64,
    pub started_at: Option<Timestamp>,
    pub created: Timestamp,
    pub updated: Timestamp,
}

impl ExecutionNotice {
    /// `status` may be a step before the one that `execution` shows.
    pub fn new(
        execution: &Execution,
        status: ExecutionStatus,
        old_status: Option<ExecutionStatus>,
    ) -> ExecutionNotice {
        ExecutionNotice {
            execution: execution.id,
            tenant: execution.tenant,
            action: execution.action,
            action_ref: execution.action_ref.clone(),
            parent: execution.parent,
            status,
            old_status,
            version: execution.state.version,
            started_at: execution.state.started_at,
            created: execution.created,
            updated: execution.state.updated,
        }
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use chrono::DateTime;
    use serde_json::json;

    use super::*;
    use crate::execution::State;

    #[test]
    fn a_notice_holds_neither_parameters_nor_the_result() {
        let created = DateTime::from_timestamp(0, 0).unwrap();
        let requested = State::requested(created);
        let execution = Execution {
            id: ExecutionId(1),
            tenant: TenantId(1),
            action: None,
            action_ref: "core.echo".into(),
            config: json!({"a": "large"}).as_object().cloned(),
            redacted_config: None,
            env_vars: BTreeMap::new(),
            permission_set_refs: None,
            extra: crate::JsonObject::new(),
            parent: None,
            executor: None,
            state: State { result: Some(json!("large")), ..requested },
            created,
        };
        let notice = ExecutionNotice::new(&execution, ExecutionStatus::Completed, None);
        assert!(!format!("{notice:?}").contains("large"), "{notice:?}");
    }
}
