//! The status words of an execution.

use std::str::FromStr;

use serde::{Deserialize, Serialize};

/// Exact wire strings (contract, models section 1); note `canceling` and `cancelled`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum ExecutionStatus {
    Requested,
    Scheduling,
    Scheduled,
    Running,
    Completed,
    Failed,
    Canceling,
    Cancelled,
    Timeout,
    Abandoned,
}

/// A word that is no status.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("unknown execution status '{0}'")]
pub struct UnknownStatus(pub String);

impl ExecutionStatus {
    pub const ALL: [ExecutionStatus; 10] = [
        ExecutionStatus::Requested,
        ExecutionStatus::Scheduling,
        ExecutionStatus::Scheduled,
        ExecutionStatus::Running,
        ExecutionStatus::Completed,
        ExecutionStatus::Failed,
        ExecutionStatus::Canceling,
        ExecutionStatus::Cancelled,
        ExecutionStatus::Timeout,
        ExecutionStatus::Abandoned,
    ];

    pub fn as_str(self) -> &'static str {
        match self {
            ExecutionStatus::Requested => "requested",
            ExecutionStatus::Scheduling => "scheduling",
            ExecutionStatus::Scheduled => "scheduled",
            ExecutionStatus::Running => "running",
            ExecutionStatus::Completed => "completed",
            ExecutionStatus::Failed => "failed",
            ExecutionStatus::Canceling => "canceling",
            ExecutionStatus::Cancelled => "cancelled",
            ExecutionStatus::Timeout => "timeout",
            ExecutionStatus::Abandoned => "abandoned",
        }
    }

    /// Whether nothing can change it any more.
    pub fn is_terminal(self) -> bool {
        matches!(
            self,
            ExecutionStatus::Completed
                | ExecutionStatus::Failed
                | ExecutionStatus::Cancelled
                | ExecutionStatus::Timeout
                | ExecutionStatus::Abandoned
        )
    }
}

impl FromStr for ExecutionStatus {
    type Err = UnknownStatus;

    fn from_str(word: &str) -> Result<Self, UnknownStatus> {
        let found = ExecutionStatus::ALL.into_iter().find(|status| status.as_str() == word);
        found.ok_or_else(|| UnknownStatus(word.to_owned()))
    }
}
