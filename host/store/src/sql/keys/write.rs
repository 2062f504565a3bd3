//! Creating, changing and deleting keys, each with its row of the audit in the same commit.

use attune_domain::access::Scope;
use attune_domain::audit::NewAuditEvent;
use attune_domain::clock::Timestamp;
use attune_domain::id::{KeyId, TenantId};
use attune_domain::key::{Key, KeyChange, KeyCreated, MAX_KEYS_OF_OWNER, NewKey};
use attune_domain::owner::Owner;
use attune_domain::store::{StoreError, StoreResult};
use attune_domain::vault::Sealed;
use sqlx::query;

use super::super::audit;
use super::super::engine::Connection;
use super::super::rows::{Fields, micros};
use super::{key_columns, read};
use crate::error::Stored;

pub(super) async fn create(
    connection: &mut Connection,
    scope: Scope,
    new: NewKey,
    audit: NewAuditEvent,
    now: Timestamp,
) -> StoreResult<KeyCreated> {
    let tenant = scope.tenant();
    forget_expired(connection, tenant, &new.reference, now).await?;
    if owned(connection, tenant, &new.owner, now).await? >= i64::from(MAX_KEYS_OF_OWNER) {
        return Ok(KeyCreated::TooMany);
    }
    let key = insert(connection, tenant, new, now).await?;
    record(connection, &key, audit, now).await?;
    Ok(KeyCreated::New(key))
}

/// The ref of a key that has expired may be used again at once.
async fn forget_expired(
    connection: &mut Connection,
    tenant: TenantId,
    reference: &str,
    now: Timestamp,
) -> StoreResult<()> {
    query("DELETE FROM key WHERE tenant = $1 AND ref = $2 AND expires_at <= $3")
        .bind(tenant.0)
        .bind(reference)
        .bind(micros(now))
        .execute(connection)
        .await
        .stored()?;
    Ok(())
}

async fn owned(
    connection: &mut Connection,
    tenant: TenantId,
    owner: &Owner,
    now: Timestamp,
) -> StoreResult<i64> {
    let row = query(
        "SELECT COUNT(*) FROM key WHERE tenant = $1 AND owner_type = $2
             AND (owner = $3 OR owner_type = 'system')
             AND (expires_at IS NULL OR expires_at > $4)",
    )
    .bind(tenant.0)
    .bind(owner.kind().as_str())
    .bind(owner.text())
    .bind(micros(now))
    .fetch_one(connection)
    .await
    .stored()?;
    Fields::of(&row).get()
}

async fn insert(
    connection: &mut Connection,
    tenant: TenantId,
    new: NewKey,
    now: Timestamp,
) -> StoreResult<Key> {
    let (mut pack, mut action) = (None, None);
    match &new.owner {
        Owner::Pack { id, .. } => pack = Some(id.0),
        Owner::Action { id, .. } => action = Some(id.0),
        Owner::System | Owner::Identity(_) => {}
    }
    let sql = concat!(
        "INSERT INTO key (tenant, ref, name, owner_type, owner, owner_identity, owner_pack,
             owner_action, pack_ref, encrypted, version, expires_at, created, updated, data_key,
             value)
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, 1, $11, $12, $12, $13, $14)
         ON CONFLICT (tenant, ref) DO NOTHING RETURNING ",
        key_columns!()
    );
    let row = query(sql)
        .bind(tenant.0)
        .bind(&new.reference)
        .bind(new.name)
        .bind(new.owner.kind().as_str())
        .bind(new.owner.text())
        .bind(new.owner.identity().map(|identity| identity.0))
        .bind(pack)
        .bind(action)
        .bind(new.owner.pack_ref())
        .bind(new.encrypted)
        .bind(new.expires_at.map(micros))
        .bind(micros(now))
        .bind(new.value.data_key.0)
        .bind(new.value.bytes.as_ref())
        .fetch_optional(connection)
        .await
        .stored()?;
    let taken = || StoreError::Duplicate(format!("key '{}' already exists", new.reference));
    read(&mut Fields::of(&row.ok_or_else(taken)?))
}

pub(super) async fn update(
    connection: &mut Connection,
    scope: Scope,
    mut key: Key,
    change: KeyChange,
    audit: NewAuditEvent,
    now: Timestamp,
) -> StoreResult<Key> {
    let before = key.version;
    key.name = change.name.unwrap_or(key.name);
    key.encrypted = change.encrypted.unwrap_or(key.encrypted);
    key.expires_at = change.expires_at.unwrap_or(key.expires_at);
    key.version += 1;
    key.updated = now;
    save(connection, scope, &key, before).await?;
    if let Some(value) = change.value {
        set_value(connection, scope, key.id, value).await?;
    }
    record(connection, &key, audit, now).await?;
    Ok(key)
}

/// `Conflict` unless the key still has the version `before`. It may have expired since it was
/// read: then it is gone.
async fn save(
    connection: &mut Connection,
    scope: Scope,
    key: &Key,
    before: i64,
) -> StoreResult<()> {
    let done = query(
        "UPDATE key SET name = $4, encrypted = $5, expires_at = $6, version = $7, updated = $8
         WHERE id = $1 AND tenant = $2 AND version = $3
             AND (expires_at IS NULL OR expires_at > $8)",
    )
    .bind(key.id.0)
    .bind(scope.tenant().0)
    .bind(before)
    .bind(&key.name)
    .bind(key.encrypted)
    .bind(key.expires_at.map(micros))
    .bind(key.version)
    .bind(micros(key.updated))
    .execute(connection)
    .await
    .stored()?;
    if done.rows_affected() == 0 { Err(StoreError::Conflict) } else { Ok(()) }
}

async fn set_value(
    connection: &mut Connection,
    scope: Scope,
    id: KeyId,
    value: Sealed,
) -> StoreResult<()> {
    query("UPDATE key SET data_key = $3, value = $4 WHERE id = $1 AND tenant = $2")
        .bind(id.0)
        .bind(scope.tenant().0)
        .bind(value.data_key.0)
        .bind(value.bytes.as_ref())
        .execute(connection)
        .await
        .stored()?;
    Ok(())
}

pub(super) async fn delete(
    connection: &mut Connection,
    scope: Scope,
    id: KeyId,
    audit: NewAuditEvent,
    now: Timestamp,
) -> StoreResult<bool> {
    let done = query("DELETE FROM key WHERE id = $1 AND tenant = $2")
        .bind(id.0)
        .bind(scope.tenant().0)
        .execute(&mut *connection)
        .await
        .stored()?;
    if done.rows_affected() == 0 {
        return Ok(false);
    }
    let event = NewAuditEvent { resource_id: Some(id.0), ..audit };
    audit::insert(connection, scope.tenant(), event, now).await?;
    Ok(true)
}

async fn record(
    connection: &mut Connection,
    key: &Key,
    audit: NewAuditEvent,
    now: Timestamp,
) -> StoreResult<()> {
    let event = NewAuditEvent { resource_id: Some(key.id.0), ..audit };
    audit::insert(connection, key.tenant, event, now).await
}
