//! Claiming work: which worker runs what.

use attune_domain::clock::Timestamp;
use attune_domain::execution::Execution;
use attune_domain::store::StoreResult;
use attune_domain::worker::Holder;
use sqlx::query;

use super::engine::{Connection, Row, skip_locked};
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
    holder: Holder,
    limit: u32,
    now: Timestamp,
) -> StoreResult<Vec<Execution>> {
    let sql = concat!(
        "WITH oldest AS MATERIALIZED
             (SELECT id FROM execution WHERE status = 'requested' ORDER BY id LIMIT $3",
        skip_locked!(),
        ")
         UPDATE execution
         SET status = 'scheduled', version = version + 1, worker = $1, lease = $4, updated = $2
         WHERE id IN (SELECT id FROM oldest)
             AND EXISTS (SELECT 1 FROM lease WHERE lease.id = $4 AND lease.ended IS NULL)
         RETURNING ",
        execution_columns!()
    );
    let claim = query(sql).bind(holder.worker.0).bind(micros(now)).bind(i64::from(limit));
    let claim = claim.bind(holder.lease.0);
    let rows = claim.fetch_all(connection).await.stored()?;
    let mut claimed: Vec<Execution> = rows.iter().filter_map(readable).collect();
    // RETURNING promises no order.
    claimed.sort_unstable_by_key(|execution| execution.id);
    Ok(claimed)
}

/// A damaged row stays claimed, and is passed over: it must block neither the queue for the
/// others nor the next start.
pub(crate) fn readable(row: &Row) -> Option<Execution> {
    let read = executions::read(&mut Fields::of(row));
    read.inspect_err(|error| tracing::error!(%error, "a claimed execution cannot be read")).ok()
}
