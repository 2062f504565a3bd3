//! Packs: their rows, and which of them a list shows.

mod install;

use async_trait::async_trait;
use attune_domain::access::{PermissionSet, Scope};
use attune_domain::clock::Timestamp;
use attune_domain::id::{IdentityId, PackId, TenantId};
use attune_domain::pack::{NewPack, Pack, PackChange, PackInstall};
use attune_domain::page::{Listing, Page};
use attune_domain::store::{PackFilter, PackStore, StoreError, StoreResult};
use bytes::Bytes;
use sqlx::{QueryBuilder, query};

use super::engine::{Connection, Engine, Query, for_update};
use super::rows::{Fields, count, json_text, listing, micros, push_page};
use super::{EngineStore, permissions};
use crate::error::Stored;

macro_rules! pack_columns {
    () => {
        "pack.id, pack.tenant, pack.ref, pack.label, pack.description, pack.version, \
         pack.conf_schema, pack.config, pack.meta, pack.tags, pack.runtime_deps, \
         pack.dependencies, pack.is_standard, pack.created_by, pack.digest, pack.created, \
         pack.updated"
    };
}
pub(crate) use pack_columns;

pub(crate) fn read(fields: &mut Fields<'_>) -> StoreResult<Pack> {
    Ok(Pack {
        id: PackId(fields.table("pack")?),
        tenant: TenantId(fields.get()?),
        reference: fields.get()?,
        label: fields.get()?,
        description: fields.get()?,
        version: fields.get()?,
        conf_schema: fields.json()?,
        config: fields.json()?,
        meta: fields.json()?,
        tags: fields.json()?,
        runtime_deps: fields.json()?,
        dependencies: fields.json()?,
        is_standard: fields.get()?,
        created_by: fields.get::<Option<i64>>()?.map(IdentityId),
        digest: fields.get()?,
        created: fields.time()?,
        updated: fields.time()?,
    })
}

#[async_trait]
impl PackStore for EngineStore {
    async fn create_pack(&self, scope: Scope, new: NewPack, now: Timestamp) -> StoreResult<Pack> {
        let tenant = scope.tenant();
        self.writer
            .write_or_refuse(move |connection| {
                Box::pin(async move { create(connection, tenant, &new, None, now).await })
            })
            .await
    }

    async fn install_pack(
        &self,
        scope: Scope,
        install: PackInstall,
        now: Timestamp,
    ) -> StoreResult<Pack> {
        let tenant = scope.tenant();
        self.writer
            .write(move |connection| Box::pin(install::install(connection, tenant, install, now)))
            .await
    }

    async fn pack(&self, scope: Scope, reference: &str) -> StoreResult<Option<Pack>> {
        let sql = concat!(
            "SELECT ",
            pack_columns!(),
            " FROM pack WHERE tenant IN ($1, 0) AND ref = $2 ORDER BY tenant DESC LIMIT 1"
        );
        let select = query(sql).bind(scope.tenant().0).bind(reference);
        let row = select.fetch_optional(&self.readers).await.stored()?;
        row.map(|row| read(&mut Fields::of(&row))).transpose()
    }

    async fn packs(
        &self,
        scope: Scope,
        filter: &PackFilter,
        page: Page,
    ) -> StoreResult<Listing<Pack>> {
        let select = |columns: &'static str| {
            let mut sql = QueryBuilder::new("SELECT ");
            sql.push(columns).push(" FROM pack WHERE tenant IN (");
            sql.push_bind(scope.tenant().0).push(", 0) AND ");
            push_visible(&mut sql, filter);
            sql
        };
        let total =
            if page.count { Some(count(&self.readers, select("COUNT(*)")).await?) } else { None };
        let mut sql = select(pack_columns!());
        sql.push(" ORDER BY ref, tenant");
        push_page(&mut sql, page);
        let rows = sql.build().fetch_all(&self.readers).await.stored()?;
        listing(rows, page, total, read)
    }

    async fn update_pack(
        &self,
        scope: Scope,
        reference: &str,
        change: PackChange,
        now: Timestamp,
    ) -> StoreResult<Option<Pack>> {
        let (tenant, reference) = (scope.tenant(), reference.to_owned());
        self.writer
            .write_or_refuse(move |connection| {
                Box::pin(async move { update(connection, tenant, &reference, change, now).await })
            })
            .await
    }

    async fn delete_pack(&self, scope: Scope, reference: &str) -> StoreResult<bool> {
        let (tenant, reference) = (scope.tenant(), reference.to_owned());
        self.writer
            .write(move |connection| {
                Box::pin(async move { delete(connection, tenant, &reference).await })
            })
            .await
    }

    async fn pack_archive(&self, tenant: TenantId, digest: &str) -> StoreResult<Option<Bytes>> {
        let row =
            query("SELECT tenant, archive FROM pack_version WHERE tenant = $1 AND digest = $2")
                .bind(tenant.0)
                .bind(digest)
                .fetch_optional(&self.readers)
                .await
                .stored()?;
        let read = |row| {
            let mut fields = Fields::of(row);
            fields.table("pack_version")?;
            fields.get::<Vec<u8>>().map(Bytes::from)
        };
        row.as_ref().map(read).transpose()
    }

    async fn pack_versions_in_use(&self) -> StoreResult<Vec<(TenantId, String)>> {
        let rows = query("SELECT tenant, digest FROM pack_version ORDER BY tenant, digest")
            .fetch_all(&self.readers)
            .await
            .stored()?;
        let read = |row| {
            let mut fields = Fields::of(row);
            Ok((TenantId(fields.table("pack_version")?), fields.get()?))
        };
        rows.iter().map(read).collect()
    }

    async fn permission_sets(&self, scope: Scope) -> StoreResult<Vec<PermissionSet>> {
        permissions::visible(&self.readers, scope).await
    }
}

/// The condition on `pack` that a filter stands for.
pub(crate) fn push_visible(sql: &mut QueryBuilder<Engine>, filter: &PackFilter) {
    sql.push("(pack.is_standard");
    if let Some(identity) = filter.created_by {
        sql.push(" OR pack.created_by = ").push_bind(identity.0);
    }
    if !filter.refs.is_empty() {
        sql.push(" OR pack.ref IN (");
        push_texts(sql, &filter.refs);
        sql.push(")");
    }
    sql.push(")");
}

pub(crate) fn push_texts(sql: &mut QueryBuilder<Engine>, texts: &[String]) {
    let mut list = sql.separated(", ");
    for text in texts {
        list.push_bind(text.clone());
    }
}

/// Inserts a pack's row. A ref that is taken in the tenant or shared is a `Duplicate`.
async fn create(
    connection: &mut Connection,
    tenant: TenantId,
    new: &NewPack,
    digest: Option<&str>,
    now: Timestamp,
) -> StoreResult<Pack> {
    let sql = concat!(
        "INSERT INTO pack (tenant, digest, updated, ref, label, description, version, \
             conf_schema, config, meta, tags, runtime_deps, dependencies, is_standard, \
             created_by, created)
         SELECT $1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $3
         WHERE $1 = 0 OR NOT EXISTS (SELECT 1 FROM pack WHERE tenant = 0 AND ref = $4)
         ON CONFLICT (tenant, ref) DO NOTHING RETURNING ",
        pack_columns!()
    );
    let insert = bind(query(sql).bind(tenant.0).bind(digest).bind(micros(now)), new);
    let row = insert.fetch_optional(connection).await.stored()?;
    let row = row.ok_or_else(|| taken(&new.reference))?;
    read(&mut Fields::of(&row))
}

fn taken(reference: &str) -> StoreError {
    StoreError::Duplicate(format!("pack '{reference}' already exists"))
}

/// Binds $4 to $15, which creating and replacing a pack have in common.
fn bind<'q>(query: Query<'q>, new: &NewPack) -> Query<'q> {
    query
        .bind(new.reference.clone())
        .bind(new.label.clone())
        .bind(new.description.clone())
        .bind(new.version.clone())
        .bind(json_text(&new.conf_schema))
        .bind(json_text(&new.config))
        .bind(json_text(&new.meta))
        .bind(json_text(&new.tags))
        .bind(json_text(&new.runtime_deps))
        .bind(json_text(&new.dependencies))
        .bind(new.is_standard)
        .bind(new.created_by.map(|identity| identity.0))
}

/// The tenant's own pack, for changing it.
async fn own(
    connection: &mut Connection,
    tenant: TenantId,
    reference: &str,
) -> StoreResult<Option<Pack>> {
    let sql = concat!(
        "SELECT ",
        pack_columns!(),
        " FROM pack WHERE tenant = $1 AND ref = $2",
        for_update!()
    );
    let row = query(sql).bind(tenant.0).bind(reference).fetch_optional(connection).await;
    row.stored()?.map(|row| read(&mut Fields::of(&row))).transpose()
}

async fn update(
    connection: &mut Connection,
    tenant: TenantId,
    reference: &str,
    change: PackChange,
    now: Timestamp,
) -> StoreResult<Option<Pack>> {
    let Some(pack) = own(connection, tenant, reference).await? else { return Ok(None) };
    let changed = NewPack {
        label: change.label.unwrap_or(pack.label),
        description: change.description.unwrap_or(pack.description),
        version: change.version.unwrap_or(pack.version),
        conf_schema: change.conf_schema.unwrap_or(pack.conf_schema),
        config: change.config.unwrap_or(pack.config),
        meta: change.meta.unwrap_or(pack.meta),
        tags: change.tags.unwrap_or(pack.tags),
        runtime_deps: change.runtime_deps.unwrap_or(pack.runtime_deps),
        dependencies: change.dependencies.unwrap_or(pack.dependencies),
        is_standard: change.is_standard.unwrap_or(pack.is_standard),
        reference: pack.reference,
        created_by: pack.created_by,
    };
    replace(connection, tenant, &changed, pack.digest.as_deref(), now).await.map(Some)
}

/// Writes over the row of a pack of the same ref; who created it stays.
async fn replace(
    connection: &mut Connection,
    tenant: TenantId,
    new: &NewPack,
    digest: Option<&str>,
    now: Timestamp,
) -> StoreResult<Pack> {
    let sql = concat!(
        "UPDATE pack SET digest = $2, updated = $3, label = $5, description = $6, version = $7, \
             conf_schema = $8, config = $9, meta = $10, tags = $11, runtime_deps = $12, \
             dependencies = $13, is_standard = $14, created_by = COALESCE(created_by, $15)
         WHERE tenant = $1 AND ref = $4 RETURNING ",
        pack_columns!()
    );
    let update = bind(query(sql).bind(tenant.0).bind(digest).bind(micros(now)), new);
    let row = update.fetch_one(connection).await.stored()?;
    read(&mut Fields::of(&row))
}

/// Its archive stays for runs in flight, until an install sweeps it.
async fn delete(
    connection: &mut Connection,
    tenant: TenantId,
    reference: &str,
) -> StoreResult<bool> {
    let Some(pack) = own(connection, tenant, reference).await? else { return Ok(false) };
    permissions::delete_others(connection, tenant, pack.id, &[]).await?;
    query("DELETE FROM pack WHERE tenant = $1 AND id = $2")
        .bind(tenant.0)
        .bind(pack.id.0)
        .execute(connection)
        .await
        .stored()?;
    Ok(true)
}
