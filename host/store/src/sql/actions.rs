//! Actions: what packs can do.

mod write;

use async_trait::async_trait;
use attune_domain::access::Scope;
use attune_domain::action::{Action, ActionChange, NewAction, RunnableAction};
use attune_domain::clock::Timestamp;
use attune_domain::id::{ActionId, PackId, TenantId};
use attune_domain::pack::Pack;
use attune_domain::page::{Listing, Page};
use attune_domain::store::{ActionFilter, ActionStore, StoreResult};
use sqlx::{QueryBuilder, query};

use super::EngineStore;
use super::engine::Engine;
use super::packs::{self, pack_columns, push_texts, push_visible};
use super::rows::{Fields, containing, count, listing, push_page};
use crate::error::Stored;

pub(crate) use write::install_all;

macro_rules! action_columns {
    () => {
        "action.id, action.tenant, action.ref, action.pack, action.pack_ref, action.label, \
         action.description, action.entrypoint, action.runtime_ref, action.param_schema, \
         action.out_schema, action.is_adhoc, action.accesses_mcp, \
         action.default_permission_sets, action.extra, action.run, action.created, \
         action.updated"
    };
}
use action_columns;

fn read(fields: &mut Fields<'_>) -> StoreResult<Action> {
    Ok(Action {
        id: ActionId(fields.table("action")?),
        tenant: TenantId(fields.get()?),
        reference: fields.get()?,
        pack: PackId(fields.get()?),
        pack_ref: fields.get()?,
        label: fields.get()?,
        description: fields.get()?,
        entrypoint: fields.get()?,
        runtime_ref: fields.get()?,
        param_schema: fields.optional_json()?,
        out_schema: fields.optional_json()?,
        is_adhoc: fields.get()?,
        accesses_mcp: fields.get()?,
        default_permission_sets: fields.json()?,
        extra: fields.json()?,
        run: fields.json()?,
        created: fields.time()?,
        updated: fields.time()?,
    })
}

#[async_trait]
impl ActionStore for EngineStore {
    async fn create_action(
        &self,
        scope: Scope,
        pack: &Pack,
        new: NewAction,
        now: Timestamp,
    ) -> StoreResult<Action> {
        let (tenant, pack, pack_ref) = (scope.tenant(), pack.id, pack.reference.clone());
        self.writer
            .write_or_refuse(move |connection| {
                Box::pin(async move {
                    let owner = write::Owner { tenant, pack, pack_ref: &pack_ref };
                    write::create(connection, owner, new, now).await
                })
            })
            .await
    }

    async fn action(&self, scope: Scope, reference: &str) -> StoreResult<Option<Action>> {
        let sql = concat!(
            "SELECT ",
            action_columns!(),
            " FROM action WHERE tenant IN ($1, 0) AND ref = $2 ORDER BY tenant DESC LIMIT 1"
        );
        let select = query(sql).bind(scope.tenant().0).bind(reference);
        let row = select.fetch_optional(&self.readers).await.stored()?;
        row.map(|row| read(&mut Fields::of(&row))).transpose()
    }

    async fn runnable_action(
        &self,
        scope: Scope,
        reference: &str,
    ) -> StoreResult<Option<RunnableAction>> {
        let sql = concat!(
            "SELECT ",
            action_columns!(),
            ", ",
            pack_columns!(),
            " FROM action JOIN pack ON pack.id = action.pack
             WHERE action.tenant IN ($1, 0) AND action.ref = $2
             ORDER BY action.tenant DESC LIMIT 1"
        );
        let select = query(sql).bind(scope.tenant().0).bind(reference);
        let row = select.fetch_optional(&self.readers).await.stored()?;
        let read = |row| {
            let mut fields = Fields::of(row);
            Ok(RunnableAction { action: read(&mut fields)?, pack: packs::read(&mut fields)? })
        };
        row.as_ref().map(read).transpose()
    }

    async fn actions(
        &self,
        scope: Scope,
        filter: &ActionFilter,
        page: Page,
    ) -> StoreResult<Listing<Action>> {
        let select = |columns: &'static str| {
            let mut sql = QueryBuilder::new("SELECT ");
            sql.push(columns).push(" FROM action JOIN pack ON pack.id = action.pack WHERE ");
            push_filter(&mut sql, scope, filter);
            sql
        };
        let readers = self.readers_for(filter.text.is_some());
        let total = if page.count { Some(count(readers, select("COUNT(*)")).await?) } else { None };
        let mut sql = select(action_columns!());
        sql.push(" ORDER BY action.ref, action.tenant");
        push_page(&mut sql, page);
        let rows = sql.build().fetch_all(readers).await.stored()?;
        listing(rows, page, total, read)
    }

    async fn update_action(
        &self,
        scope: Scope,
        reference: &str,
        change: ActionChange,
        now: Timestamp,
    ) -> StoreResult<Option<Action>> {
        let (tenant, reference) = (scope.tenant(), reference.to_owned());
        self.writer
            .write_or_refuse(move |connection| {
                Box::pin(
                    async move { write::update(connection, tenant, &reference, change, now).await },
                )
            })
            .await
    }

    async fn delete_action(&self, scope: Scope, reference: &str) -> StoreResult<bool> {
        let (tenant, reference) = (scope.tenant(), reference.to_owned());
        self.writer
            .write_or_refuse(move |connection| {
                Box::pin(async move {
                    let delete = query("DELETE FROM action WHERE tenant = $1 AND ref = $2");
                    let done = delete.bind(tenant.0).bind(reference).execute(connection).await;
                    Ok(done.stored()?.rows_affected() > 0)
                })
            })
            .await
    }
}

fn push_filter(sql: &mut QueryBuilder<Engine>, scope: Scope, filter: &ActionFilter) {
    sql.push("action.tenant IN (").push_bind(scope.tenant().0).push(", 0) AND ");
    push_visible(sql, &filter.visible_packs);
    if let Some(reference) = &filter.pack_ref {
        sql.push(" AND action.pack_ref = ").push_bind(reference.clone());
    }
    if !filter.pack_refs.is_empty() {
        sql.push(" AND action.pack_ref IN (");
        push_texts(sql, &filter.pack_refs);
        sql.push(")");
    }
    if let Some(text) = &filter.text {
        let mut any_of = "(";
        sql.push(" AND ");
        for column in ["action.ref", "action.label", "COALESCE(action.description, '')"] {
            sql.push(any_of).push(format_args!("lower({column}) LIKE lower("));
            sql.push_bind(containing(text)).push(r") ESCAPE '\'");
            any_of = " OR ";
        }
        sql.push(")");
    }
}
