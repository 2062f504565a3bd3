//! Workers, their leases, and what is held under them.

use async_trait::async_trait;
use attune_domain::clock::Timestamp;
use attune_domain::execution::Execution;
use attune_domain::id::{IdentityId, LeaseId, WorkerId};
use attune_domain::store::{StoreResult, WorkerStore};
use attune_domain::worker::{Acquired, Capacity, Cordon, Held, Holder, Pulse, Renewed, Worker};
use sqlx::query;

use super::EngineStore;
use super::claims::readable;
use super::engine::{Connection, in_time, lock, skip_locked};
use super::executions::execution_columns;
use super::rows::{Fields, json_text, micros};
use crate::error::Stored;

/// Holds of a row of `execution` when the parameter is null, or the lease under which it is held
/// and which has not ended.
macro_rules! within {
    ($lease:literal) => {
        concat!(
            "(CAST(",
            $lease,
            " AS BIGINT) IS NULL OR (execution.lease = ",
            $lease,
            " AND EXISTS (SELECT 1 FROM lease WHERE lease.id = ",
            $lease,
            " AND lease.ended IS NULL)))"
        )
    };
}
pub(crate) use within;

/// How many executions of a status are held under the lease. The list is that of the index
/// `execution_held`, which only serves those who repeat it.
macro_rules! held {
    ($status:literal) => {
        concat!(
            "(SELECT COUNT(*) FROM execution WHERE execution.lease = lease.id
                 AND execution.status IN ('scheduled', 'running', 'canceling')
                 AND execution.status = '",
            $status,
            "'), "
        )
    };
}

macro_rules! select_worker {
    ($rest:literal) => {
        concat!(
            "SELECT worker.id, worker.name, lease.id IS NOT NULL, worker.seen, ",
            held!("scheduled"),
            held!("running"),
            held!("canceling"),
            "worker.places, worker.runtimes, worker.cordoned_at, worker.cordoned_by,
                 worker.cordon_reason, worker.created, worker.updated
             FROM worker LEFT JOIN lease ON lease.worker = worker.id AND lease.ended IS NULL ",
            $rest
        )
    };
}

fn read(fields: &mut Fields<'_>) -> StoreResult<Worker> {
    let id = WorkerId(fields.table("worker")?);
    let (name, active, seen) = (fields.get()?, fields.get()?, fields.time()?);
    let (scheduled, running, canceling) = (fields.number()?, fields.number()?, fields.number()?);
    let held = Held { scheduled, running, canceling };
    let capacity = Capacity { places: fields.number()?, runtimes: fields.json()? };
    let cordoned_at = fields.optional_time()?;
    let by = fields.get::<Option<i64>>()?.map(IdentityId);
    let reason = fields.get()?;
    let cordon = cordoned_at.map(|at| Cordon { reason, by, at });
    let (created, updated) = (fields.time()?, fields.time()?);
    Ok(Worker { id, name, active, seen, cordon, held, capacity, created, updated })
}

#[async_trait]
impl WorkerStore for EngineStore {
    async fn acquire_lease(&self, name: &str, home: &str, now: Timestamp) -> StoreResult<Acquired> {
        let (name, home) = (name.to_owned(), home.to_owned());
        self.writer.write(move |connection| Box::pin(acquire(connection, name, home, now))).await
    }

    async fn renew_lease(
        &self,
        lease: LeaseId,
        capacity: Capacity,
        now: Timestamp,
    ) -> StoreResult<Renewed> {
        self.writer.write(move |connection| Box::pin(renew(connection, lease, capacity, now))).await
    }

    async fn end_lease(&self, lease: LeaseId, now: Timestamp) -> StoreResult<()> {
        self.writer.write_or_refuse(move |connection| Box::pin(end(connection, lease, now))).await
    }

    async fn revoke_lease(&self, pulse: &Pulse, now: Timestamp) -> StoreResult<bool> {
        let (lease, beat) = (pulse.holder.lease, pulse.beat);
        self.writer
            .write_or_refuse(move |connection| Box::pin(revoke(connection, lease, beat, now)))
            .await
    }

    async fn pulses(&self) -> StoreResult<Vec<Pulse>> {
        let pulses = query(
            "SELECT lease.id, worker.id, worker.name, lease.home, lease.beat FROM lease
             JOIN worker ON worker.id = lease.worker WHERE lease.ended IS NULL",
        );
        let rows = in_time(pulses.fetch_all(&self.readers)).await.stored()?;
        rows.iter().map(|row| read_pulse(&mut Fields::of(row))).collect()
    }

    async fn held_under(&self, lease: LeaseId) -> StoreResult<Vec<Execution>> {
        let sql = concat!(
            "SELECT ",
            execution_columns!(),
            " FROM execution WHERE lease = $1 AND status IN ('scheduled', 'running', 'canceling')
             ORDER BY execution.id"
        );
        let held = query(sql).bind(lease.0);
        let rows = in_time(held.fetch_all(&self.readers)).await.stored()?;
        Ok(rows.iter().filter_map(readable).collect())
    }

    async fn orphans(&self, limit: u32) -> StoreResult<Vec<Execution>> {
        let sql = concat!(
            "SELECT ",
            execution_columns!(),
            " FROM execution JOIN lease ON lease.id = execution.lease
             WHERE lease.ended IS NOT NULL
                 AND execution.status IN ('scheduled', 'running', 'canceling')
             ORDER BY execution.id LIMIT $1",
            // What somebody is about to change would keep whoever settles it waiting.
            skip_locked!()
        );
        let orphans = query(sql).bind(i64::from(limit));
        let rows = in_time(orphans.fetch_all(&self.readers)).await.stored()?;
        Ok(rows.iter().filter_map(readable).collect())
    }

    async fn worker(&self, id: WorkerId) -> StoreResult<Option<Worker>> {
        let select = query(select_worker!("WHERE worker.id = $1")).bind(id.0);
        let row = select.fetch_optional(&self.readers).await.stored()?;
        row.map(|row| read(&mut Fields::of(&row))).transpose()
    }

    async fn workers(&self) -> StoreResult<Vec<Worker>> {
        let select = query(select_worker!("ORDER BY worker.name"));
        let rows = select.fetch_all(&self.readers).await.stored()?;
        rows.iter().map(|row| read(&mut Fields::of(row))).collect()
    }

    async fn set_cordon(
        &self,
        id: WorkerId,
        cordon: Option<Cordon>,
        now: Timestamp,
    ) -> StoreResult<Option<Worker>> {
        self.writer
            .write_or_refuse(move |connection| Box::pin(write_cordon(connection, id, cordon, now)))
            .await?;
        self.worker(id).await
    }
}

fn read_pulse(fields: &mut Fields<'_>) -> StoreResult<Pulse> {
    let lease = LeaseId(fields.table("lease")?);
    let holder = Holder { worker: WorkerId(fields.get()?), lease };
    Ok(Pulse { holder, name: fields.get()?, home: fields.get()?, beat: fields.get()? })
}

async fn acquire(
    connection: &mut Connection,
    name: String,
    home: String,
    now: Timestamp,
) -> StoreResult<Acquired> {
    lock(connection, "lease").await?;
    let worker = worker_named(connection, &name, now).await?;
    let live = query(
        "SELECT lease.id, worker.id, worker.name, lease.home, lease.beat FROM lease
         JOIN worker ON worker.id = lease.worker
         WHERE lease.worker = $1 AND lease.ended IS NULL",
    );
    let live = live.bind(worker.0).fetch_optional(&mut *connection).await.stored()?;
    if let Some(row) = live {
        return Ok(Acquired::Taken(read_pulse(&mut Fields::of(&row))?));
    }
    let insert = query(
        "INSERT INTO lease (worker, home, beat, granted) VALUES ($1, $2, 0, $3) RETURNING id",
    );
    let insert = insert.bind(worker.0).bind(home).bind(micros(now));
    let row = insert.fetch_one(connection).await.stored()?;
    let lease = LeaseId(Fields::of(&row).table("lease")?);
    Ok(Acquired::Granted(Holder { worker, lease }))
}

/// The worker of this name, made now if it is new.
async fn worker_named(
    connection: &mut Connection,
    name: &str,
    now: Timestamp,
) -> StoreResult<WorkerId> {
    let row = query(
        "INSERT INTO worker (name, seen, created, updated) VALUES ($1, $2, $2, $2)
         ON CONFLICT (name) DO UPDATE SET seen = excluded.seen RETURNING id",
    )
    .bind(name)
    .bind(micros(now))
    .fetch_one(connection)
    .await
    .stored()?;
    Ok(WorkerId(Fields::of(&row).table("worker")?))
}

async fn renew(
    connection: &mut Connection,
    lease: LeaseId,
    capacity: Capacity,
    now: Timestamp,
) -> StoreResult<Renewed> {
    let beat = query("UPDATE lease SET beat = beat + 1 WHERE id = $1 AND ended IS NULL");
    if beat.bind(lease.0).execute(&mut *connection).await.stored()?.rows_affected() == 0 {
        return Ok(Renewed::Lost);
    }
    let row = query(
        "UPDATE worker SET seen = $2, places = $3, runtimes = $4
         WHERE id = (SELECT worker FROM lease WHERE id = $1)
         RETURNING id, cordoned_at IS NOT NULL",
    )
    .bind(lease.0)
    .bind(micros(now))
    .bind(i64::from(capacity.places))
    .bind(json_text(&capacity.runtimes))
    .fetch_one(connection)
    .await
    .stored()?;
    let mut fields = Fields::of(&row);
    fields.table("worker")?;
    Ok(Renewed::Held { cordoned: fields.get()? })
}

async fn end(connection: &mut Connection, lease: LeaseId, now: Timestamp) -> StoreResult<()> {
    let end = query("UPDATE lease SET ended = $2 WHERE id = $1 AND ended IS NULL");
    end.bind(lease.0).bind(micros(now)).execute(connection).await.stored()?;
    Ok(())
}

async fn revoke(
    connection: &mut Connection,
    lease: LeaseId,
    beat: i64,
    now: Timestamp,
) -> StoreResult<bool> {
    let end = query("UPDATE lease SET ended = $3 WHERE id = $1 AND beat = $2 AND ended IS NULL");
    let end = end.bind(lease.0).bind(beat).bind(micros(now));
    Ok(end.execute(connection).await.stored()?.rows_affected() > 0)
}

async fn write_cordon(
    connection: &mut Connection,
    worker: WorkerId,
    cordon: Option<Cordon>,
    now: Timestamp,
) -> StoreResult<()> {
    query(
        "UPDATE worker SET cordoned_at = $2, cordoned_by = $3, cordon_reason = $4, updated = $5
         WHERE id = $1",
    )
    .bind(worker.0)
    .bind(cordon.as_ref().map(|cordon| micros(cordon.at)))
    .bind(cordon.as_ref().and_then(|cordon| cordon.by).map(|identity| identity.0))
    .bind(cordon.and_then(|cordon| cordon.reason))
    .bind(micros(now))
    .execute(connection)
    .await
    .stored()?;
    Ok(())
}
