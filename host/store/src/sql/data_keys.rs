//! Data keys, wrapped: what the values of keys are sealed with.

use async_trait::async_trait;
use attune_domain::access::Scope;
use attune_domain::clock::Timestamp;
use attune_domain::id::{DataKeyId, KeyId, TenantId};
use attune_domain::key::SealedKey;
use attune_domain::store::{DataKeyStore, StoreResult};
use attune_domain::vault::{Sealed, WrappedDataKey};
use bytes::Bytes;
use sqlx::query;

use super::EngineStore;
use super::engine::Connection;
use super::keys::{read_sealed, sealed_key_columns};
use super::rows::{Fields, micros};
use crate::error::Stored;

macro_rules! data_key_columns {
    () => {
        "id, tenant, master, wrapped, created, retired"
    };
}

fn read(fields: &mut Fields<'_>) -> StoreResult<WrappedDataKey> {
    Ok(WrappedDataKey {
        id: DataKeyId(fields.table("data_key")?),
        tenant: TenantId(fields.get()?),
        master: fields.get()?,
        wrapped: fields.get::<Vec<u8>>()?.into(),
        created: fields.time()?,
        retired: fields.optional_time()?,
    })
}

#[async_trait]
impl DataKeyStore for EngineStore {
    async fn current_data_key(&self, scope: Scope) -> StoreResult<Option<WrappedDataKey>> {
        let select = query(concat!(
            "SELECT ",
            data_key_columns!(),
            " FROM data_key WHERE tenant = $1 AND retired IS NULL"
        ));
        let row = select.bind(scope.tenant().0).fetch_optional(&self.readers).await.stored()?;
        row.map(|row| read(&mut Fields::of(&row))).transpose()
    }

    async fn data_key(&self, scope: Scope, id: DataKeyId) -> StoreResult<Option<WrappedDataKey>> {
        let select = query(concat!(
            "SELECT ",
            data_key_columns!(),
            " FROM data_key WHERE id = $1 AND tenant = $2"
        ));
        let select = select.bind(id.0).bind(scope.tenant().0);
        let row = select.fetch_optional(&self.readers).await.stored()?;
        row.map(|row| read(&mut Fields::of(&row))).transpose()
    }

    async fn data_keys(&self) -> StoreResult<Vec<WrappedDataKey>> {
        let sql = concat!("SELECT ", data_key_columns!(), " FROM data_key ORDER BY id");
        let rows = query(sql).fetch_all(&self.readers).await.stored()?;
        rows.iter().map(|row| read(&mut Fields::of(row))).collect()
    }

    async fn add_data_key(
        &self,
        scope: Scope,
        wrapped: Bytes,
        master: &str,
        replaced: Option<DataKeyId>,
        now: Timestamp,
    ) -> StoreResult<WrappedDataKey> {
        let (tenant, master) = (scope.tenant(), master.to_owned());
        self.writer
            .write(move |connection| {
                Box::pin(add(connection, tenant, wrapped, master, replaced, now))
            })
            .await
    }

    async fn rewrap_data_key(
        &self,
        read: &WrappedDataKey,
        wrapped: Bytes,
        master: &str,
    ) -> StoreResult<bool> {
        let (read, master) = (read.clone(), master.to_owned());
        self.writer
            .write_one(move |connection| {
                Box::pin(async move {
                    let update = query(
                        "UPDATE data_key SET wrapped = $4, master = $5
                         WHERE id = $1 AND tenant = $2 AND master = $3",
                    );
                    let update = update.bind(read.id.0).bind(read.tenant.0).bind(read.master);
                    let update = update.bind(wrapped.as_ref()).bind(master);
                    Ok(update.execute(connection).await.stored()?.rows_affected() > 0)
                })
            })
            .await
    }

    async fn sealed_with_retired(&self, after: KeyId, limit: u32) -> StoreResult<Vec<SealedKey>> {
        let sql = concat!(
            "SELECT ",
            sealed_key_columns!(),
            " FROM key JOIN data_key ON data_key.id = key.data_key
             WHERE data_key.retired IS NOT NULL AND key.id > $1 ORDER BY key.id LIMIT $2"
        );
        let select = query(sql).bind(after.0).bind(i64::from(limit));
        let rows = select.fetch_all(&self.readers).await.stored()?;
        rows.iter().map(|row| read_sealed(&mut Fields::of(row))).collect()
    }

    async fn reseal_key(&self, scope: Scope, read: &SealedKey, value: Sealed) -> StoreResult<bool> {
        let (tenant, id, version) = (scope.tenant(), read.key.id, read.key.version);
        let before = read.value.data_key;
        self.writer
            .write_one(move |connection| {
                Box::pin(async move {
                    let update = query(
                        "UPDATE key SET data_key = $5, value = $6
                         WHERE id = $1 AND tenant = $2 AND version = $3 AND data_key = $4",
                    );
                    let update = update.bind(id.0).bind(tenant.0).bind(version).bind(before.0);
                    let update = update.bind(value.data_key.0).bind(value.bytes.as_ref());
                    Ok(update.execute(connection).await.stored()?.rows_affected() > 0)
                })
            })
            .await
    }

    async fn drop_retired_data_keys(&self) -> StoreResult<Vec<DataKeyId>> {
        self.writer
            .write_one(move |connection| {
                Box::pin(async move {
                    let delete = query(
                        "DELETE FROM data_key WHERE retired IS NOT NULL AND NOT EXISTS
                             (SELECT 1 FROM key WHERE key.data_key = data_key.id)
                         RETURNING id",
                    );
                    let rows = delete.fetch_all(connection).await.stored()?;
                    let ids = rows.iter().map(|row| Fields::of(row).table("data_key"));
                    ids.map(|id| id.map(DataKeyId)).collect()
                })
            })
            .await
    }
}

/// Nothing is inserted beside another current one: a unique index sees to it, whoever comes first.
async fn add(
    connection: &mut Connection,
    tenant: TenantId,
    wrapped: Bytes,
    master: String,
    replaced: Option<DataKeyId>,
    now: Timestamp,
) -> StoreResult<WrappedDataKey> {
    if let Some(replaced) = replaced {
        query("UPDATE data_key SET retired = $3 WHERE id = $1 AND tenant = $2 AND retired IS NULL")
            .bind(replaced.0)
            .bind(tenant.0)
            .bind(micros(now))
            .execute(&mut *connection)
            .await
            .stored()?;
    }
    query(
        "INSERT INTO data_key (tenant, master, wrapped, created) VALUES ($1, $2, $3, $4)
         ON CONFLICT (tenant) WHERE retired IS NULL DO NOTHING",
    )
    .bind(tenant.0)
    .bind(master)
    .bind(wrapped.as_ref())
    .bind(micros(now))
    .execute(&mut *connection)
    .await
    .stored()?;
    let current = concat!(
        "SELECT ",
        data_key_columns!(),
        " FROM data_key WHERE tenant = $1 AND retired IS NULL"
    );
    let row = query(current).bind(tenant.0).fetch_one(connection).await.stored()?;
    read(&mut Fields::of(&row))
}
