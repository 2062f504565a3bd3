//! What is measured of the database.

use std::time::Duration;

use metrics::{Unit, counter, describe_counter, describe_histogram, histogram};

const COMMIT_JOBS: &str = "attune_commit_jobs";
const STATE_BATCH: &str = "attune_state_batch_jobs";
const COMMIT: &str = "attune_commit_seconds";
const ERRORS: &str = "attune_database_errors_total";

/// Says what the numbers of this room are, and that nothing has gone wrong yet.
pub fn describe_metrics() {
    describe_histogram!(COMMIT_JOBS, Unit::Count, "Writes that shared one commit.");
    describe_histogram!(
        COMMIT,
        Unit::Seconds,
        "Time of a transaction, or a single statement, that wrote, until it was on disk."
    );
    describe_histogram!(
        STATE_BATCH,
        Unit::Count,
        "States of executions that one statement wrote, as they waited at one time."
    );
    describe_counter!(
        ERRORS,
        Unit::Count,
        "Statements that failed for want of disk space (full) or of a database (unavailable)."
    );
    for kind in ["full", "unavailable"] {
        counter!(ERRORS, "kind" => kind).increment(0);
    }
}

/// A commit that was shared by so many writes, or the attempt at one, is over.
pub(crate) fn commit(jobs: usize, took: Duration) {
    histogram!(COMMIT_JOBS).record(u32::try_from(jobs).unwrap_or(u32::MAX));
    histogram!(COMMIT).record(took);
}

/// So many states of executions were written by one statement.
pub(crate) fn gathered(states: usize) {
    histogram!(STATE_BATCH).record(u32::try_from(states).unwrap_or(u32::MAX));
}

/// The disk was full.
pub(crate) fn full() {
    counter!(ERRORS, "kind" => "full").increment(1);
}

/// The database could not be used.
pub(crate) fn unavailable() {
    counter!(ERRORS, "kind" => "unavailable").increment(1);
}
