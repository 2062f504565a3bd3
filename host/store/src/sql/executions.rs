//! Executions: their rows, lists, and the writing of their state.

use async_trait::async_trait;
use attune_domain::access::Scope;
use attune_domain::clock::Timestamp;
use attune_domain::execution::{
    Execution, ExecutionFilter, ExecutionStats, ExecutionStatus, ExecutionSummary, NewExecution,
    State, Waiting,
};
use attune_domain::id::{ActionId, ExecutionId, IdentityId, LeaseId, TenantId, WorkerId};
use attune_domain::page::{Listing, Page};
use attune_domain::runner::Stream;
use attune_domain::store::{ExecutionStore, LogChunk, StoreResult, Submitted};
use attune_domain::worker::Holder;
use bytes::Bytes;
use sqlx::{QueryBuilder, query};

use super::engine::Engine;
use super::rows::{Fields, containing, count, listing, push_page};
use super::states::{self, Change};
use super::submissions::Submission;
use super::{EngineStore, claims, logs};
use crate::error::Stored;

/// The id of an action that has been deleted reads as none.
macro_rules! execution_columns {
    () => {
        "execution.id, execution.tenant, \
         (SELECT action.id FROM action WHERE action.id = execution.action), \
         execution.action_ref, execution.parent, execution.executor, execution.status, \
         execution.version, execution.worker, execution.lease, execution.starts, \
         execution.started_at, \
         execution.created, execution.updated, execution.permission_set_refs, \
         execution.extra, execution.env_vars, execution.config, \
         execution.redacted_config, execution.result"
    };
}
pub(crate) use execution_columns;

pub(crate) fn read(fields: &mut Fields<'_>) -> StoreResult<Execution> {
    let id = ExecutionId(fields.table("execution")?);
    let tenant = TenantId(fields.get()?);
    let action = fields.get::<Option<i64>>()?.map(ActionId);
    let action_ref = fields.get()?;
    let parent = fields.get::<Option<i64>>()?.map(ExecutionId);
    let executor = fields.get::<Option<i64>>()?.map(IdentityId);
    let state = State {
        status: fields.word(|word| word.parse().ok())?,
        version: fields.get()?,
        worker: fields.get::<Option<i64>>()?.map(WorkerId),
        lease: fields.get::<Option<i64>>()?.map(LeaseId),
        starts: fields.number()?,
        started_at: fields.optional_time()?,
        // Stands elsewhere in the row.
        updated: Timestamp::UNIX_EPOCH,
        result: None,
    };
    let created = fields.time()?;
    let updated = fields.time()?;
    Ok(Execution {
        id,
        tenant,
        action,
        action_ref,
        parent,
        executor,
        created,
        permission_set_refs: fields.optional_json()?,
        extra: fields.json()?,
        env_vars: fields.json()?,
        config: fields.optional_json()?,
        redacted_config: fields.optional_json()?,
        state: State { updated, result: fields.optional_json()?, ..state },
    })
}

const SUMMARY_COLUMNS: &str = "id, action_ref, status, parent, started_at, created, updated";

fn read_summary(fields: &mut Fields<'_>) -> StoreResult<ExecutionSummary> {
    Ok(ExecutionSummary {
        id: ExecutionId(fields.table("execution")?),
        action_ref: fields.get()?,
        status: fields.word(|word| word.parse().ok())?,
        parent: fields.get::<Option<i64>>()?.map(ExecutionId),
        started_at: fields.optional_time()?,
        created: fields.time()?,
        updated: fields.time()?,
    })
}

#[async_trait]
impl ExecutionStore for EngineStore {
    async fn submit(
        &self,
        scope: Scope,
        new: NewExecution,
        now: Timestamp,
    ) -> StoreResult<Submitted> {
        let submission = Submission::new(scope.tenant(), new, now);
        self.writer.write_or_refuse(move |connection| Box::pin(submission.submit(connection))).await
    }

    async fn execution(&self, scope: Scope, id: ExecutionId) -> StoreResult<Option<Execution>> {
        let sql = concat!(
            "SELECT ",
            execution_columns!(),
            " FROM execution WHERE id = $1 AND tenant = $2"
        );
        let select = query(sql).bind(id.0).bind(scope.tenant().0);
        let row = select.fetch_optional(&self.readers).await.stored()?;
        row.map(|row| read(&mut Fields::of(&row))).transpose()
    }

    async fn executions(
        &self,
        scope: Scope,
        filter: &ExecutionFilter,
        page: Page,
    ) -> StoreResult<Listing<ExecutionSummary>> {
        let select = |columns: &'static str| {
            let mut sql = QueryBuilder::new("SELECT ");
            sql.push(columns).push(" FROM execution WHERE tenant = ");
            sql.push_bind(scope.tenant().0);
            push_filter(&mut sql, filter);
            sql
        };
        let readers = self.readers_for(filter.result_contains.is_some());
        let total = if page.count { Some(count(readers, select("COUNT(*)")).await?) } else { None };
        let mut sql = select(SUMMARY_COLUMNS);
        sql.push(" ORDER BY created DESC, id DESC");
        push_page(&mut sql, page);
        let rows = sql.build().fetch_all(readers).await.stored()?;
        listing(rows, page, total, read_summary)
    }

    async fn execution_stats(&self, scope: Scope) -> StoreResult<ExecutionStats> {
        let rows =
            query("SELECT COUNT(*), status FROM execution WHERE tenant = $1 GROUP BY status")
                .bind(scope.tenant().0)
                .fetch_all(&self.readers)
                .await
                .stored()?;
        let mut counts = ExecutionStats::default();
        for row in &rows {
            let mut fields = Fields::of(row);
            let count: i64 = fields.get()?;
            let status: ExecutionStatus = fields.word(|word| word.parse().ok())?;
            counts.add(status, count.unsigned_abs());
        }
        Ok(counts)
    }

    async fn waiting(&self) -> StoreResult<Vec<Waiting>> {
        claims::waiting(self.readers_for(true)).await
    }

    async fn claim(
        &self,
        holder: Holder,
        limit: u32,
        after: Option<TenantId>,
        now: Timestamp,
    ) -> StoreResult<Vec<Execution>> {
        claims::claim(self, holder, limit, after, now).await
    }

    async fn write_state(
        &self,
        scope: Scope,
        id: ExecutionId,
        state: &State,
        log: Vec<LogChunk>,
        fence: Option<LeaseId>,
    ) -> StoreResult<()> {
        let change = Change::new(scope.tenant(), id, state, fence);
        if change.stands_alone(&log) {
            return self.states.write(change).await;
        }
        self.writer
            .write_or_refuse(move |connection| {
                Box::pin(states::write_with_log(connection, change, log))
            })
            .await
    }

    async fn append_log(
        &self,
        scope: Scope,
        id: ExecutionId,
        fence: Option<LeaseId>,
        log: Vec<LogChunk>,
    ) -> StoreResult<()> {
        let tenant = scope.tenant();
        self.writer
            .write_or_refuse(move |connection| {
                Box::pin(logs::append(connection, tenant, id, fence, log))
            })
            .await
    }

    async fn read_log(
        &self,
        scope: Scope,
        id: ExecutionId,
        stream: Stream,
        offset: u64,
        limit: u64,
    ) -> StoreResult<Bytes> {
        let range = logs::Range { offset, limit };
        logs::read(&self.readers, scope.tenant(), id, stream, range).await
    }
}

fn push_filter(sql: &mut QueryBuilder<Engine>, filter: &ExecutionFilter) {
    if let Some(status) = filter.status {
        sql.push(" AND status = ").push_bind(status.as_str());
    }
    if let Some(reference) = &filter.action_ref {
        sql.push(" AND action_ref = ").push_bind(reference.clone());
    }
    if let Some(pack) = &filter.pack_ref {
        // '/' comes right after '.': a range that an index can serve, unlike LIKE.
        sql.push(" AND action_ref > ").push_bind(format!("{pack}."));
        sql.push(" AND action_ref < ").push_bind(format!("{pack}/"));
    }
    if let Some(executor) = filter.executor {
        sql.push(" AND executor = ").push_bind(executor.0);
    }
    if let Some(parent) = filter.parent {
        sql.push(" AND parent = ").push_bind(parent.0);
    }
    if filter.top_level_only {
        sql.push(" AND parent IS NULL");
    }
    if let Some(text) = &filter.result_contains {
        sql.push(" AND lower(result) LIKE lower(").push_bind(containing(text));
        sql.push(r") ESCAPE '\'");
    }
}
