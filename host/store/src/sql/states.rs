//! Writing the states of executions.
//!
//! States that wait at one time are written by one statement: while it is on its way to the disk,
//! the next ones gather. So a server that ends many runs at once writes them at the cost of a few.

use std::collections::HashSet;

use attune_domain::execution::{ExecutionStatus, State};
use attune_domain::id::{ExecutionId, LeaseId, TenantId};
use attune_domain::store::{LogChunk, StoreError, StoreResult};
use serde::Serialize;
use sqlx::query;
use tokio::sync::{mpsc, oneshot};

use super::engine::{Connection, LOCKED, looked_up, rows_of};
use super::rows::{Fields, json_text, micros, optional_json_text};
use super::workers::within;
use super::{Writer, logs};
use crate::error::{Stored, closed, is_engine_failure, share};
use crate::measure;

/// States that one statement writes at most; bounds how long the first one waits.
const BATCH: usize = 256;

/// Bytes of results in one statement; a larger result is written alone.
const BATCH_BYTES: usize = 1 << 18;

/// States that may wait before callers have to.
const QUEUE: usize = 1024;

/// A state as it is written; made before the writer is reached, which is one for all.
#[derive(Serialize)]
pub(crate) struct StateRow {
    pub(crate) status: ExecutionStatus,
    pub(crate) version: i64,
    pub(crate) worker: Option<i64>,
    pub(crate) lease: Option<i64>,
    pub(crate) starts: i64,
    pub(crate) started_at: Option<i64>,
    pub(crate) updated: i64,
    pub(crate) result: Option<String>,
}

impl StateRow {
    pub(crate) fn of(state: &State) -> StateRow {
        StateRow {
            status: state.status,
            version: state.version,
            worker: state.worker.map(|worker| worker.0),
            lease: state.lease.map(|lease| lease.0),
            starts: i64::from(state.starts),
            started_at: state.started_at.map(micros),
            updated: micros(state.updated),
            result: optional_json_text(state.result.as_ref()),
        }
    }

    /// Whether this is the state of another start: the output of the one before is dropped.
    fn starts_again(&self) -> bool {
        self.status == ExecutionStatus::Running && self.starts > 1
    }
}

/// The state that an execution is to have, if it is where the writer believes it to be.
#[derive(Serialize)]
pub(crate) struct Change {
    id: i64,
    tenant: i64,
    /// The lease under which it has to be held.
    fence: Option<i64>,
    #[serde(flatten)]
    state: StateRow,
}

impl Change {
    pub(crate) fn new(
        tenant: TenantId,
        id: ExecutionId,
        state: &State,
        fence: Option<LeaseId>,
    ) -> Change {
        let fence = fence.map(|lease| lease.0);
        Change { id: id.0, tenant: tenant.0, fence, state: StateRow::of(state) }
    }

    /// Whether nothing has to be written in the same commit.
    pub(crate) fn stands_alone(&self, log: &[LogChunk]) -> bool {
        log.is_empty() && !self.state.starts_again()
    }

    fn bytes(&self) -> usize {
        self.state.result.as_ref().map_or(0, String::len)
    }
}

/// Hands states to the task that gathers them.
#[derive(Clone)]
pub(crate) struct StateWriter {
    waiting: mpsc::Sender<Waiting>,
}

struct Waiting {
    change: Change,
    answer: oneshot::Sender<StoreResult<()>>,
}

impl Waiting {
    fn answer(self, result: StoreResult<()>) {
        // A caller that has gone away wants no answer.
        let _ = self.answer.send(result);
    }
}

impl StateWriter {
    /// Starts the task, which ends with the last of its writers.
    pub(crate) fn start(writer: Writer) -> StateWriter {
        let (waiting, inbox) = mpsc::channel(QUEUE);
        tokio::spawn(gather(writer, inbox));
        StateWriter { waiting }
    }

    /// Commits a state; `Conflict` when the execution is not where the change begins.
    pub(crate) async fn write(&self, change: Change) -> StoreResult<()> {
        let (answer, answered) = oneshot::channel();
        self.waiting.send(Waiting { change, answer }).await.map_err(|_| closed())?;
        answered.await.unwrap_or_else(|_| Err(closed()))
    }
}

async fn gather(writer: Writer, mut inbox: mpsc::Receiver<Waiting>) {
    let mut waiting = Vec::with_capacity(BATCH);
    while inbox.recv_many(&mut waiting, BATCH).await > 0 {
        while !waiting.is_empty() {
            let (batch, rest) = next_batch(std::mem::take(&mut waiting));
            waiting = rest;
            write_batch(&writer, batch).await;
        }
    }
}

/// What the next statement writes, and what has to wait for another: one statement knows of an
/// execution only once.
fn next_batch(waiting: Vec<Waiting>) -> (Vec<Waiting>, Vec<Waiting>) {
    let (mut ids, mut bytes) = (HashSet::new(), 0);
    waiting.into_iter().partition(|one| {
        let fits = bytes == 0 || bytes + one.change.bytes() <= BATCH_BYTES;
        let goes = fits && ids.insert(one.change.id);
        if goes {
            bytes += one.change.bytes();
        }
        goes
    })
}

async fn write_batch(writer: &Writer, batch: Vec<Waiting>) {
    measure::gathered(batch.len());
    if batch.iter().any(|one| one.change.bytes() > BATCH_BYTES) {
        for one in batch {
            write_alone(writer.clone(), one);
        }
        return;
    }
    let changes: Vec<_> = batch.iter().map(|one| &one.change).collect();
    let changes = json_text(&changes);
    let write = writer.write_at_once(move |connection| Box::pin(update_all(connection, changes)));
    match write.await {
        Ok(written) => {
            for one in batch {
                if written.contains(&one.change.id) {
                    one.answer(Ok(()));
                } else {
                    write_alone(writer.clone(), one);
                }
            }
        }
        Err(error) if is_engine_failure(&error) => {
            for one in batch {
                one.answer(Err(share(&error)));
            }
        }
        // One of them has something wrong with it.
        Err(_) => {
            for one in batch {
                write_alone(writer.clone(), one);
            }
        }
    }
}

/// Writes what others must not wait for: what is large, or locked by somebody. What is not where
/// its change begins is found here as well.
fn write_alone(writer: Writer, one: Waiting) {
    tokio::spawn(async move {
        let Waiting { change, answer } = one;
        let write = writer.write_one(move |connection| Box::pin(update(connection, change)));
        let result = write.await.and_then(|found| found.then_some(()).ok_or(StoreError::Conflict));
        let _ = answer.send(result);
    });
}

/// Writes a state together with output, in the transaction of `connection`.
pub(crate) async fn write_with_log(
    connection: &mut Connection,
    change: Change,
    log: Vec<LogChunk>,
) -> StoreResult<()> {
    let (tenant, id) = (TenantId(change.tenant), ExecutionId(change.id));
    let starts_again = change.state.starts_again();
    if !update(connection, change).await? {
        return Err(StoreError::Conflict);
    }
    if starts_again {
        logs::delete(connection, tenant, id).await?;
    }
    // The state that was just written passed the fence, and may have ended the holding.
    logs::append(connection, tenant, id, None, log).await
}

/// Writes one state; false when the execution is not where the change begins.
async fn update(connection: &mut Connection, change: Change) -> StoreResult<bool> {
    let state = change.state;
    let done = query(concat!(
        "UPDATE execution SET status = $4, version = $3, worker = $5, starts = $6,
                 started_at = $7, updated = $8, result = $9, lease = $10
             WHERE id = $1 AND tenant = $2 AND version = $3 - 1 AND ",
        within!("$11")
    ))
    .bind(change.id)
    .bind(change.tenant)
    .bind(state.version)
    .bind(state.status.as_str())
    .bind(state.worker)
    .bind(state.starts)
    .bind(state.started_at)
    .bind(state.updated)
    .bind(state.result)
    .bind(state.lease)
    .bind(change.fence)
    .execute(connection)
    .await
    .stored()?;
    Ok(done.rows_affected() > 0)
}

/// Writes states of different executions, a JSON array of changes; returns the ids of those that
/// were where their changes begin. Of none when somebody has locked one of them.
async fn update_all(connection: &mut Connection, changes: String) -> StoreResult<HashSet<i64>> {
    let sql = concat!(
        "UPDATE execution SET status = new.status, version = new.version, worker = new.worker,
             starts = new.starts, started_at = new.started_at, updated = new.updated,
             result = new.result, lease = new.lease
         FROM ",
        rows_of!(
            "$1", id BIGINT, tenant BIGINT, fence BIGINT, status TEXT, version BIGINT,
            worker BIGINT, lease BIGINT, starts BIGINT, started_at BIGINT, updated BIGINT,
            result TEXT
        ),
        " WHERE execution.id = new.id AND execution.tenant = new.tenant
             AND execution.version = new.version - 1 AND ",
        within!("new.fence"),
        looked_up!(rows_of!("$1", id BIGINT)),
        " RETURNING execution.id"
    );
    let rows = match query(sql).bind(changes).fetch_all(connection).await {
        Err(sqlx::Error::Database(error))
            if LOCKED.is_some() && error.code().as_deref() == LOCKED =>
        {
            return Ok(HashSet::new());
        }
        rows => rows.stored()?,
    };
    rows.iter().map(|row| Fields::of(row).table("execution")).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use attune_domain::clock::Timestamp;

    fn waiting(id: i64, bytes: usize) -> Waiting {
        let state = State {
            result: Some("x".repeat(bytes).into()),
            ..State::requested(Timestamp::UNIX_EPOCH)
        };
        let change = Change::new(TenantId(1), ExecutionId(id), &state, None);
        Waiting { change, answer: oneshot::channel().0 }
    }

    fn ids(waiting: &[Waiting]) -> Vec<i64> {
        waiting.iter().map(|one| one.change.id).collect()
    }

    #[test]
    fn a_statement_knows_of_an_execution_once() {
        let (batch, rest) = next_batch(vec![waiting(1, 1), waiting(2, 1), waiting(1, 1)]);
        assert_eq!((ids(&batch), ids(&rest)), (vec![1, 2], vec![1]));
    }

    #[test]
    fn large_results_wait_for_each_other() {
        let large = BATCH_BYTES * 2 / 3;
        let (batch, rest) = next_batch(vec![waiting(1, large), waiting(2, large), waiting(3, 9)]);
        assert_eq!((ids(&batch), ids(&rest)), (vec![1, 3], vec![2]));
        let (batch, rest) = next_batch(vec![waiting(1, BATCH_BYTES * 2), waiting(2, 9)]);
        assert_eq!((ids(&batch), ids(&rest)), (vec![1], vec![2]));
    }
}
