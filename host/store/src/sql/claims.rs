//! The queue: what waits in it, and which worker claims what of it.

use attune_domain::clock::Timestamp;
use attune_domain::execution::{Execution, Waiting};
use attune_domain::id::TenantId;
use attune_domain::store::StoreResult;
use attune_domain::worker::Holder;
use sqlx::query;

use super::EngineStore;
use super::engine::{Connection, Pool, Row, is_among, only_queue, skip_locked};
use super::executions::{self, execution_columns};
use super::rows::{Fields, micros};
use crate::error::Stored;

/// What waits of each tenant. All of the index `execution_queue` is read, and of the table one row
/// for each tenant: the oldest has the lowest id.
pub(crate) async fn waiting(readers: &Pool) -> StoreResult<Vec<Waiting>> {
    let rows = query(concat!(
        "SELECT queue.tenant, queue.depth, execution.created
         FROM (SELECT tenant, COUNT(*) AS depth, MIN(id) AS oldest FROM execution",
        only_queue!(),
        " WHERE status = 'requested' GROUP BY tenant) AS queue
         JOIN execution ON execution.id = queue.oldest ORDER BY queue.tenant"
    ));
    let rows = rows.fetch_all(readers).await.stored()?;
    rows.iter().map(|row| read_waiting(&mut Fields::of(row))).collect()
}

fn read_waiting(fields: &mut Fields<'_>) -> StoreResult<Waiting> {
    Ok(Waiting { tenant: TenantId(fields.get()?), depth: fields.number()?, since: fields.time()? })
}

/// Takes requested executions for a worker: tenants take turns, of each the oldest go first.
pub(crate) async fn claim(
    store: &EngineStore,
    holder: Holder,
    limit: u32,
    after: Option<TenantId>,
    now: Timestamp,
) -> StoreResult<Vec<Execution>> {
    let waiting = waiting_tenants(&store.readers).await?;
    let turns = waiting.len();
    // A share for each at first; what that leaves goes to whoever has more.
    let fair = limit.div_ceil(u32::try_from(turns).unwrap_or(u32::MAX).max(1));
    let first = waiting.iter().position(|tenant| after.is_none_or(|after| *tenant > after.0));
    let in_turn = waiting.iter().cycle().skip(first.unwrap_or(0));
    let shares = std::iter::repeat_n(fair, turns).chain(std::iter::repeat_n(limit, turns));
    let mut claimed = Vec::new();
    let mut left = limit;
    for (tenant, share) in in_turn.zip(shares) {
        if left == 0 {
            break;
        }
        let (tenant, share) = (*tenant, share.min(left));
        let claim = store.writer.write_one(move |connection| {
            Box::pin(claim_of(connection, holder, tenant, share, now))
        });
        let (readable, taken) = match claim.await {
            Ok(taken) => taken,
            // What was taken has to be run, and whoever asks again meets what stays wrong.
            Err(_) if !claimed.is_empty() => break,
            Err(error) => return Err(error),
        };
        claimed.extend(readable);
        left = left.saturating_sub(taken);
    }
    Ok(claimed)
}

/// Tenants with requested executions, in order. The index is skipped through, so that the cost
/// depends on their number and not on how much waits.
async fn waiting_tenants(readers: &Pool) -> StoreResult<Vec<i64>> {
    let rows = query(concat!(
        "WITH RECURSIVE waiting (tenant) AS (
             SELECT (SELECT tenant FROM execution",
        only_queue!(),
        " WHERE status = 'requested' ORDER BY tenant LIMIT 1)
             UNION ALL
             SELECT (SELECT execution.tenant FROM execution",
        only_queue!(),
        " WHERE status = 'requested' AND execution.tenant > waiting.tenant
                 ORDER BY execution.tenant LIMIT 1)
             FROM waiting WHERE waiting.tenant IS NOT NULL
         )
         SELECT tenant FROM waiting WHERE tenant IS NOT NULL"
    ));
    let rows = rows.fetch_all(readers).await.stored()?;
    rows.iter().map(|row| Fields::of(row).get()).collect()
}

/// Takes the oldest requested executions of one tenant. Tells how many, also of those that
/// cannot be read.
///
/// One statement, the set form of the transition `Claimed` (a test holds it to that): the
/// version goes up by one, so that whoever holds the row as it was is refused. Where several
/// claim at once, each passes over the rows that others have locked.
/// The partial index `execution_queue` holds requested executions and nothing else, so the cost
/// does not grow with history. A tenant that is equal to the given one would be no order, and
/// `PostgreSQL` would then look for the oldest by `id` alone, through all that has ended.
async fn claim_of(
    connection: &mut Connection,
    holder: Holder,
    tenant: i64,
    limit: u32,
    now: Timestamp,
) -> StoreResult<(Vec<Execution>, u32)> {
    let sql = concat!(
        "WITH oldest AS MATERIALIZED
             (SELECT id FROM execution",
        only_queue!(),
        " WHERE status = 'requested' AND tenant BETWEEN $5 AND $5
              ORDER BY tenant, id LIMIT $3",
        skip_locked!(),
        ")
         UPDATE execution
         SET status = 'scheduled', version = version + 1, worker = $1, lease = $4, updated = $2
         WHERE id ",
        is_among!("SELECT id FROM oldest"),
        " AND EXISTS (SELECT 1 FROM lease WHERE lease.id = $4 AND lease.ended IS NULL)
         RETURNING ",
        execution_columns!()
    );
    let claim = query(sql).bind(holder.worker.0).bind(micros(now)).bind(i64::from(limit));
    let claim = claim.bind(holder.lease.0).bind(tenant);
    let rows = claim.fetch_all(connection).await.stored()?;
    let mut claimed: Vec<Execution> = rows.iter().filter_map(readable).collect();
    // RETURNING promises no order.
    claimed.sort_unstable_by_key(|execution| execution.id);
    Ok((claimed, u32::try_from(rows.len()).unwrap_or(u32::MAX)))
}

/// A damaged row stays claimed, and is passed over: it must block neither the queue for the
/// others nor the next start.
pub(crate) fn readable(row: &Row) -> Option<Execution> {
    let read = executions::read(&mut Fields::of(row));
    read.inspect_err(|error| tracing::error!(%error, "a claimed execution cannot be read")).ok()
}
