//! A record of who held what, for whoever has to prove that nothing ran twice: one line of the
//! log for each step of an execution, each start of guest code and each change of a lease, at the
//! level `debug`. `--log-level info,attune_orchestrator::history=debug` shows it;
//! `tests/support/history.py` checks it.

use attune_domain::execution::{Execution, ExecutionStatus};
use attune_domain::id::LeaseId;
use attune_domain::worker::Holder;

/// A commit has led an execution to this state, through `steps`.
pub(crate) fn committed(execution: &Execution, steps: &[ExecutionStatus]) {
    let state = &execution.state;
    let (lease, version, starts) = (number(state.lease), state.version, state.starts);
    let status = state.status.as_str();
    let steps = steps.len();
    tracing::debug!(execution = execution.id.0, version, steps, status, lease, starts, "committed");
}

/// A runner is about to get the execution, in this state.
pub(crate) fn handed_over(execution: &Execution) {
    let state = &execution.state;
    let (lease, version) = (number(state.lease), state.version);
    tracing::debug!(execution = execution.id.0, version, lease, "handed over");
}

/// This server holds a lease from now on.
pub(crate) fn lease_granted(holder: Holder) {
    tracing::debug!(lease = holder.lease.0, worker = holder.worker.0, "lease granted");
}

/// This server has learned that its lease has ended.
pub(crate) fn lease_lost(holder: Holder) {
    tracing::debug!(lease = holder.lease.0, "lease lost");
}

/// This server has ended the lease of another one.
pub(crate) fn lease_revoked(holder: Holder) {
    tracing::debug!(lease = holder.lease.0, "lease revoked");
}

fn number(lease: Option<LeaseId>) -> Option<i64> {
    lease.map(|lease| lease.0)
}
