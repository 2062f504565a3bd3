//! What changed, told to whoever watches: streams, waiters, later the WebSocket.

use std::sync::Arc;

use crate::execution::{Execution, ExecutionStatus};
use crate::id::{ExecutionId, TenantId};

/// One committed change, or new output.
#[derive(Clone, Debug)]
pub enum Notice {
    /// An execution has come to be or has another status.
    Execution(ExecutionNotice),
    /// A running execution wrote to stdout or stderr, and it can be read from the store.
    Output { tenant: TenantId, execution: ExecutionId },
}

/// A step of an execution.
#[derive(Clone, Debug)]
pub struct ExecutionNotice {
    /// The row after the step.
    pub execution: Arc<Execution>,
    /// The status that this step led to; a commit that makes two steps gives two notices.
    pub status: ExecutionStatus,
    /// None for a new execution.
    pub old_status: Option<ExecutionStatus>,
}
