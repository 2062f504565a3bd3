//! Creating, replacing and changing actions.

use attune_domain::Json;
use attune_domain::action::{Action, ActionChange, NewAction};
use attune_domain::clock::Timestamp;
use attune_domain::id::{PackId, TenantId};
use attune_domain::pack::Pack;
use attune_domain::store::{StoreError, StoreResult};
use sqlx::query;

use super::super::engine::{Connection, Query, for_update};
use super::super::rows::{Fields, json_text, micros, optional_json_text};
use super::{action_columns, read};
use crate::error::Stored;

/// The pack that an action is written for, and the tenant who writes.
#[derive(Clone, Copy)]
pub(super) struct Owner<'a> {
    pub(super) tenant: TenantId,
    pub(super) pack: PackId,
    pub(super) pack_ref: &'a str,
}

/// A ref that the shared tenant has taken inserts nothing. A pack of another tenant
/// violates the foreign key (tenant, pack).
macro_rules! insert_action {
    () => {
        "INSERT INTO action (tenant, pack, pack_ref, updated, ref, label, description, \
             entrypoint, runtime_ref, param_schema, out_schema, is_adhoc, accesses_mcp, \
             default_permission_sets, extra, run, created)
         SELECT $1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, $4
         WHERE ($1 = 0 OR NOT EXISTS (SELECT 1 FROM action WHERE tenant = 0 AND ref = $5))
         ON CONFLICT (tenant, ref) DO "
    };
}

pub(super) async fn create(
    connection: &mut Connection,
    owner: Owner<'_>,
    new: NewAction,
    now: Timestamp,
) -> StoreResult<Action> {
    let sql = concat!(insert_action!(), "NOTHING RETURNING ", action_columns!());
    let taken = taken(&new.reference);
    let row = bind(query(sql), owner, new, now).fetch_optional(connection).await.stored()?;
    read(&mut Fields::of(&row.ok_or(taken)?))
}

/// Puts a pack's actions in place: those that were there keep their ids, those that have
/// disappeared go, those that were created by API stay.
pub(crate) async fn install_all(
    connection: &mut Connection,
    pack: &Pack,
    actions: Vec<NewAction>,
    now: Timestamp,
) -> StoreResult<()> {
    let owner = Owner { tenant: pack.tenant, pack: pack.id, pack_ref: &pack.reference };
    let kept: Vec<&str> = actions.iter().map(|action| action.reference.as_str()).collect();
    delete_others(connection, owner, &kept).await?;
    for action in actions {
        install(connection, owner, action, now).await?;
    }
    Ok(())
}

async fn delete_others(
    connection: &mut Connection,
    owner: Owner<'_>,
    kept: &[&str],
) -> StoreResult<()> {
    let rows =
        query("SELECT id, ref FROM action WHERE tenant = $1 AND pack = $2 AND is_adhoc = FALSE")
            .bind(owner.tenant.0)
            .bind(owner.pack.0)
            .fetch_all(&mut *connection)
            .await
            .stored()?;
    for row in &rows {
        let mut fields = Fields::of(row);
        let id = fields.table("action")?;
        if !kept.contains(&fields.get::<&str>()?) {
            let delete = query("DELETE FROM action WHERE id = $1").bind(id);
            delete.execute(&mut *connection).await.stored()?;
        }
    }
    Ok(())
}

/// An action of another pack stays as it is and makes this a `Duplicate`.
async fn install(
    connection: &mut Connection,
    owner: Owner<'_>,
    new: NewAction,
    now: Timestamp,
) -> StoreResult<()> {
    let sql = concat!(
        insert_action!(),
        "UPDATE SET updated = excluded.updated, label = excluded.label,
             description = excluded.description, entrypoint = excluded.entrypoint,
             runtime_ref = excluded.runtime_ref, param_schema = excluded.param_schema,
             out_schema = excluded.out_schema, is_adhoc = excluded.is_adhoc,
             accesses_mcp = excluded.accesses_mcp,
             default_permission_sets = excluded.default_permission_sets,
             extra = excluded.extra, run = excluded.run
         WHERE action.pack = excluded.pack"
    );
    let taken = taken(&new.reference);
    let done = bind(query(sql), owner, new, now).execute(connection).await.stored()?;
    if done.rows_affected() == 0 { Err(taken) } else { Ok(()) }
}

fn taken(reference: &str) -> StoreError {
    StoreError::Duplicate(format!("action '{reference}' already exists"))
}

fn bind<'q>(query: Query<'q>, owner: Owner<'_>, new: NewAction, now: Timestamp) -> Query<'q> {
    query
        .bind(owner.tenant.0)
        .bind(owner.pack.0)
        .bind(owner.pack_ref)
        .bind(micros(now))
        .bind(new.reference)
        .bind(new.label)
        .bind(new.description)
        .bind(new.entrypoint)
        .bind(new.runtime_ref)
        .bind(optional_json_text(new.param_schema.as_ref()))
        .bind(optional_json_text(new.out_schema.as_ref()))
        .bind(new.is_adhoc)
        .bind(new.accesses_mcp)
        .bind(json_text(&new.default_permission_sets))
        .bind(json_text(&new.extra))
        .bind(json_text(&new.run))
}

pub(super) async fn update(
    connection: &mut Connection,
    tenant: TenantId,
    reference: &str,
    change: ActionChange,
    now: Timestamp,
) -> StoreResult<Option<Action>> {
    let sql = concat!(
        "SELECT ",
        action_columns!(),
        " FROM action WHERE tenant = $1 AND ref = $2",
        for_update!()
    );
    let select = query(sql).bind(tenant.0).bind(reference);
    let Some(row) = select.fetch_optional(&mut *connection).await.stored()? else {
        return Ok(None);
    };
    let mut action = read(&mut Fields::of(&row))?;
    apply(&mut action, change);
    action.updated = now;
    save(connection, &action).await?;
    Ok(Some(action))
}

fn apply(action: &mut Action, change: ActionChange) {
    if let Some(label) = change.label {
        action.label = label;
    }
    if let Some(description) = change.description {
        action.description = description;
    }
    if let Some(entrypoint) = change.entrypoint {
        action.entrypoint = entrypoint;
    }
    action.runtime_ref = change.runtime_ref.or(action.runtime_ref.take());
    action.param_schema = change.param_schema.or(action.param_schema.take());
    action.out_schema = change.out_schema.or(action.out_schema.take());
    if let Some(accesses_mcp) = change.accesses_mcp {
        action.accesses_mcp = accesses_mcp;
    }
    if let Some(sets) = change.default_permission_sets {
        action.default_permission_sets = sets;
    }
    for (key, value) in change.extra.into_iter().flatten() {
        set_extra(&mut action.extra, key, value);
    }
}

fn set_extra(extra: &mut Json, key: String, value: Json) {
    let Some(extra) = extra.as_object_mut() else { return };
    if value.is_null() {
        extra.remove(&key);
    } else {
        extra.insert(key, value);
    }
}

async fn save(connection: &mut Connection, action: &Action) -> StoreResult<()> {
    query(
        "UPDATE action SET label = $3, description = $4, entrypoint = $5, runtime_ref = $6,
             param_schema = $7, out_schema = $8, accesses_mcp = $9,
             default_permission_sets = $10, extra = $11, updated = $12
         WHERE id = $1 AND tenant = $2",
    )
    .bind(action.id.0)
    .bind(action.tenant.0)
    .bind(&action.label)
    .bind(&action.description)
    .bind(&action.entrypoint)
    .bind(&action.runtime_ref)
    .bind(optional_json_text(action.param_schema.as_ref()))
    .bind(optional_json_text(action.out_schema.as_ref()))
    .bind(action.accesses_mcp)
    .bind(json_text(&action.default_permission_sets))
    .bind(json_text(&action.extra))
    .bind(micros(action.updated))
    .execute(connection)
    .await
    .stored()?;
    Ok(())
}
