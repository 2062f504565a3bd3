//! Submitting: a new execution, unless its idempotency key came before.

use std::time::Duration;

use attune_domain::clock::Timestamp;
use attune_domain::execution::{Execution, Idempotency, NewExecution, State};
use attune_domain::id::{ExecutionId, TenantId};
use attune_domain::store::{StoreResult, Submitted};
use sqlx::query;

use super::engine::{Connection, lock};
use super::executions::{self, execution_columns};
use super::rows::{Fields, json_text, micros, optional_json_text};
use super::states::StateRow;
use crate::error::{Stored, corrupt};

/// How long an idempotency key is remembered.
const KEY_KEPT: Duration = Duration::from_hours(24);

/// An execution that is to be created.
pub(crate) struct Submission {
    /// What it will be; the id is not known yet.
    execution: Execution,
    action: i64,
    idempotency: Option<Idempotency>,
    row: Texts,
}

/// What of the row has to be written as JSON; done before the writer is reached.
struct Texts {
    state: StateRow,
    permission_set_refs: Option<String>,
    extra: String,
    env_vars: String,
    config: Option<String>,
    redacted_config: Option<String>,
}

impl Submission {
    pub(crate) fn new(tenant: TenantId, new: NewExecution, now: Timestamp) -> Submission {
        let row = Texts {
            state: StateRow::of(&new.state),
            permission_set_refs: optional_json_text(new.permission_set_refs.as_ref()),
            extra: json_text(&new.extra),
            env_vars: json_text(&new.env_vars),
            config: optional_json_text(new.config.as_ref()),
            redacted_config: optional_json_text(new.redacted_config.as_ref()),
        };
        let execution = Execution {
            id: ExecutionId(0),
            tenant,
            action: Some(new.action),
            action_ref: new.action_ref,
            config: new.config,
            redacted_config: new.redacted_config,
            env_vars: new.env_vars,
            permission_set_refs: new.permission_set_refs,
            extra: new.extra,
            parent: None,
            executor: new.executor,
            state: new.state,
            created: now,
        };
        Submission { execution, action: new.action.0, idempotency: new.idempotency, row }
    }

    /// Creates the execution unless its key came before.
    pub(crate) async fn submit(mut self, connection: &mut Connection) -> StoreResult<Submitted> {
        let Some(idempotency) = self.idempotency.take() else {
            return Ok(Submitted::New(self.insert(connection).await?));
        };
        let key = Key::of(&self.execution, idempotency);
        lock(connection, &key.idempotency.key).await?;
        forget_old_keys(connection, self.execution.created).await?;
        if let Some(earlier) = key.earlier(connection).await? {
            return Ok(earlier);
        }
        let execution = self.insert(connection).await?;
        key.remember(connection, &execution).await?;
        Ok(Submitted::New(execution))
    }

    /// The new row: as asked for, or waiting in the queue if the lease has ended under which it
    /// was to start.
    async fn insert(mut self, connection: &mut Connection) -> StoreResult<Execution> {
        let mut inserted = self.inserted(connection).await?;
        if inserted.is_none() {
            self.execution.state = State::requested(self.execution.created);
            self.row.state = StateRow::of(&self.execution.state);
            inserted = self.inserted(connection).await?;
        }
        let inserted = inserted.ok_or_else(|| corrupt("execution", 0, "it was not inserted"))?;
        self.execution.id = inserted;
        Ok(self.execution)
    }

    /// None if the lease has ended.
    async fn inserted(&self, connection: &mut Connection) -> StoreResult<Option<ExecutionId>> {
        let (execution, row) = (&self.execution, &self.row);
        let insert = query(
            "INSERT INTO execution (tenant, action, action_ref, executor, status, version,
                 worker, lease, starts, started_at, created, updated, permission_set_refs, extra,
                 env_vars, config, redacted_config, result)
             SELECT $1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, $17, $18
             WHERE CAST($8 AS BIGINT) IS NULL
                 OR EXISTS (SELECT 1 FROM lease WHERE lease.id = $8 AND lease.ended IS NULL)
             RETURNING id",
        )
        .bind(execution.tenant.0)
        .bind(self.action)
        .bind(&execution.action_ref)
        .bind(execution.executor.map(|identity| identity.0))
        .bind(row.state.status.as_str())
        .bind(row.state.version)
        .bind(row.state.worker)
        .bind(row.state.lease)
        .bind(row.state.starts)
        .bind(row.state.started_at)
        .bind(micros(execution.created))
        .bind(row.state.updated)
        .bind(row.permission_set_refs.as_deref())
        .bind(row.extra.as_str())
        .bind(row.env_vars.as_str())
        .bind(row.config.as_deref())
        .bind(row.redacted_config.as_deref())
        .bind(row.state.result.as_deref());
        let inserted = insert.fetch_optional(connection).await.stored()?;
        inserted.map(|row| Fields::of(&row).table("execution").map(ExecutionId)).transpose()
    }
}

async fn forget_old_keys(connection: &mut Connection, now: Timestamp) -> StoreResult<()> {
    query("DELETE FROM execution_key WHERE created <= $1")
        .bind(micros(now - KEY_KEPT))
        .execute(connection)
        .await
        .stored()?;
    Ok(())
}

/// An idempotency key with whom it is unique for.
struct Key {
    tenant: TenantId,
    executor: i64,
    idempotency: Idempotency,
}

impl Key {
    fn of(execution: &Execution, idempotency: Idempotency) -> Key {
        let executor = execution.executor.map_or(0, |identity| identity.0);
        Key { tenant: execution.tenant, executor, idempotency }
    }

    /// What is to be answered if the key came before.
    async fn earlier(&self, connection: &mut Connection) -> StoreResult<Option<Submitted>> {
        let row = query(
            "SELECT execution, request_digest FROM execution_key
             WHERE tenant = $1 AND executor = $2 AND key = $3",
        )
        .bind(self.tenant.0)
        .bind(self.executor)
        .bind(&self.idempotency.key)
        .fetch_optional(&mut *connection)
        .await
        .stored()?;
        let Some(row) = row else { return Ok(None) };
        let mut fields = Fields::of(&row);
        let execution = fields.table("execution_key")?;
        if fields.get::<&str>()? != self.idempotency.request_digest {
            return Ok(Some(Submitted::KeyReused));
        }
        let sql = concat!("SELECT ", execution_columns!(), " FROM execution WHERE id = $1");
        let row = query(sql).bind(execution).fetch_optional(connection).await.stored()?;
        let row = row.ok_or_else(|| corrupt("execution_key", execution, "no such execution"))?;
        Ok(Some(Submitted::Repeated(executions::read(&mut Fields::of(&row))?)))
    }

    async fn remember(&self, connection: &mut Connection, made: &Execution) -> StoreResult<()> {
        query(
            "INSERT INTO execution_key (tenant, executor, key, request_digest, execution, created)
             VALUES ($1, $2, $3, $4, $5, $6)",
        )
        .bind(self.tenant.0)
        .bind(self.executor)
        .bind(&self.idempotency.key)
        .bind(&self.idempotency.request_digest)
        .bind(made.id.0)
        .bind(micros(made.created))
        .execute(connection)
        .await
        .stored()?;
        Ok(())
    }
}
