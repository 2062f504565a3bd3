//! Executions: one run of an action, from the request to the result.
//!
//! [`transition`] is the only place that decides how a state may change;
//! [`outcome`] turns what a runner reports into the result that clients read.

mod format;
pub mod outcome;
mod status;
pub mod transition;

use std::collections::BTreeMap;

pub use status::{ExecutionStatus, UnknownStatus};

use crate::clock::Timestamp;
use crate::id::{ActionId, ExecutionId, IdentityId, LeaseId, TenantId, WorkerId};
use crate::{Json, JsonObject};

/// One run of an action, as stored.
#[derive(Clone, Debug, PartialEq)]
pub struct Execution {
    pub id: ExecutionId,
    pub tenant: TenantId,
    /// None once the action has been deleted.
    pub action: Option<ActionId>,
    pub action_ref: String,
    /// The parameters as they were sent; defaults are not in it.
    pub config: Option<JsonObject>,
    /// `config` as others may see it; none when nothing of it is secret.
    pub redacted_config: Option<JsonObject>,
    pub env_vars: BTreeMap<String, String>,
    /// What the request gave; none means "inherit".
    pub permission_set_refs: Option<Vec<String>>,
    /// Fields the contract echoes and this version does not act on, by wire name.
    pub extra: JsonObject,
    pub parent: Option<ExecutionId>,
    /// The identity that asked for it.
    pub executor: Option<IdentityId>,
    pub state: State,
    pub created: Timestamp,
}

/// The part of an execution that transitions change.
#[derive(Clone, Debug, PartialEq)]
pub struct State {
    pub status: ExecutionStatus,
    /// Counts the transitions; a writer that holds an old one is refused.
    pub version: i64,
    /// The worker that claimed it.
    pub worker: Option<WorkerId>,
    /// The lease under which that worker holds it, or held it.
    pub lease: Option<LeaseId>,
    /// How often it was handed to a runner.
    pub starts: u32,
    pub started_at: Option<Timestamp>,
    pub result: Option<Json>,
    pub updated: Timestamp,
}

impl State {
    /// The state of an execution that was just asked for.
    pub fn requested(now: Timestamp) -> State {
        State {
            status: ExecutionStatus::Requested,
            version: 0,
            worker: None,
            lease: None,
            starts: 0,
            started_at: None,
            result: None,
            updated: now,
        }
    }
}

/// What is needed to create an [`Execution`].
#[derive(Clone, Debug)]
pub struct NewExecution {
    pub action: ActionId,
    pub action_ref: String,
    pub config: Option<JsonObject>,
    pub redacted_config: Option<JsonObject>,
    pub env_vars: BTreeMap<String, String>,
    pub permission_set_refs: Option<Vec<String>>,
    pub extra: JsonObject,
    pub executor: Option<IdentityId>,
    /// [`State::requested`], or a later one when it is created claimed.
    pub state: State,
    pub idempotency: Option<Idempotency>,
}

/// An `Idempotency-Key` with the digest of the request that brought it. Unique per identity.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Idempotency {
    pub key: String,
    /// SHA-256 of the request's body, in hex.
    pub request_digest: String,
}

/// What lists show of an execution.
#[derive(Clone, Debug)]
pub struct ExecutionSummary {
    pub id: ExecutionId,
    pub action_ref: String,
    pub status: ExecutionStatus,
    pub parent: Option<ExecutionId>,
    pub started_at: Option<Timestamp>,
    pub created: Timestamp,
    pub updated: Timestamp,
}

/// Which executions a list is to show; all that are given must hold.
#[derive(Clone, Debug, Default)]
pub struct ExecutionFilter {
    pub status: Option<ExecutionStatus>,
    pub action_ref: Option<String>,
    pub pack_ref: Option<String>,
    pub executor: Option<IdentityId>,
    pub parent: Option<ExecutionId>,
    pub result_contains: Option<String>,
    pub top_level_only: bool,
}

/// What waits in the queue for one tenant.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Waiting {
    pub tenant: TenantId,
    pub depth: u32,
    /// When the oldest of them was asked for.
    pub since: Timestamp,
}

/// How many executions of a tenant are in which state (contract, executions section 2).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct ExecutionStats {
    pub total: u64,
    pub completed: u64,
    pub failed: u64,
    pub running: u64,
    pub pending: u64,
    pub cancelled: u64,
    pub timeout: u64,
    pub abandoned: u64,
}

impl ExecutionStats {
    /// Adds `count` executions of one status.
    pub fn add(&mut self, status: ExecutionStatus, count: u64) {
        use ExecutionStatus as S;
        self.total += count;
        *match status {
            S::Requested | S::Scheduling | S::Scheduled => &mut self.pending,
            S::Running | S::Canceling => &mut self.running,
            S::Completed => &mut self.completed,
            S::Failed => &mut self.failed,
            S::Cancelled => &mut self.cancelled,
            S::Timeout => &mut self.timeout,
            S::Abandoned => &mut self.abandoned,
        } += count;
    }
}
