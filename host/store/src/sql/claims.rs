//! Claiming work: which worker runs what.

use attune_domain::clock::Timestamp;
use attune_domain::execution::Execution;
use attune_domain::id::WorkerId;
use attune_domain::store::StoreResult;
use sqlx::query;

use super::engine::{Connection, Pool, Row, skip_locked};
use super::executions::{self, execution_columns};
use super::rows::{Fields, micros};
use crate::error::Stored;

/// Takes the oldest requested executions for a worker.
///
/// One statement, the set form of the transition `Claimed` (a test holds it to that): the
/// version goes up by one, so that whoever holds the row as it was is refused. Where several
/// claim at once, each passes over the rows that others have locked.
/// The partial index `execution_queue` holds the ids of requested executions and nothing
/// else, so the cost does not grow with history.
pub(crate) async fn claim(
    connection: &mut Connection,
    worker: WorkerId,
    limit: u32,
    now: Timestamp,
) -> StoreResult<Vec<Execution>> {
    let sql = concat!(
        "WITH oldest AS MATERIALIZED
             (SELECT id FROM execution WHERE status = 'requested' ORDER BY id LIMIT $3",
        skip_locked!(),
        ")
         UPDATE execution
         SET status = 'scheduled', version = version + 1, worker = $1, updated = $2
         WHERE id IN (SELECT id FROM oldest)
         RETURNING ",
        execution_columns!()
    );
    let claim = query(sql).bind(worker.0).bind(micros(now)).bind(i64::from(limit));
    let rows = claim.fetch_all(connection).await.stored()?;
    let mut claimed: Vec<Execution> = rows.iter().filter_map(readable).collect();
    // RETURNING promises no order.
    claimed.sort_unstable_by_key(|execution| execution.id);
    Ok(claimed)
}

/// A damaged row stays claimed, and is passed over: it must block neither the queue for the
/// others nor the next start.
fn readable(row: &Row) -> Option<Execution> {
    let read = executions::read(&mut Fields::of(row));
    read.inspect_err(|error| tracing::error!(%error, "a claimed execution cannot be read")).ok()
}

/// Executions that a worker holds, oldest first.
pub(crate) async fn held_by(readers: &Pool, worker: WorkerId) -> StoreResult<Vec<Execution>> {
    let sql = concat!(
        "SELECT ",
        execution_columns!(),
        " FROM execution
         WHERE worker = $1 AND status IN ('scheduled', 'running', 'canceling') ORDER BY execution.id"
    );
    let rows = query(sql).bind(worker.0).fetch_all(readers).await.stored()?;
    Ok(rows.iter().filter_map(readable).collect())
}

/// The worker of this name; `now` is kept as when it was seen last.
pub(crate) async fn register_worker(
    connection: &mut Connection,
    name: String,
    now: Timestamp,
) -> StoreResult<WorkerId> {
    let row = query(
        "INSERT INTO worker (name, seen) VALUES ($1, $2)
         ON CONFLICT (name) DO UPDATE SET seen = excluded.seen RETURNING id",
    )
    .bind(name)
    .bind(micros(now))
    .fetch_one(connection)
    .await
    .stored()?;
    Ok(WorkerId(Fields::of(&row).table("worker")?))
}
