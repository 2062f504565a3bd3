//! Permission sets and who they are assigned to.

use attune_domain::Json;
use attune_domain::access::{Grant, PermissionSet, Scope};
use attune_domain::id::{IdentityId, PackId, TenantId};
use attune_domain::identity::Identity;
use attune_domain::store::{StoreError, StoreResult};
use sqlx::query;

use super::engine::{Connection, Pool};
use super::rows::{Fields, json_text};
use crate::error::Stored;

/// Assigns a set by ref; it need not exist yet.
pub(crate) async fn assign(
    connection: &mut Connection,
    identity: &Identity,
    reference: String,
) -> StoreResult<()> {
    query(
        "INSERT INTO permission_assignment (tenant, identity, permission_set)
         VALUES ($1, $2, $3) ON CONFLICT DO NOTHING",
    )
    .bind(identity.tenant.0)
    .bind(identity.id.0)
    .bind(reference)
    .execute(connection)
    .await
    .stored()?;
    Ok(())
}

pub(crate) async fn assigned(readers: &Pool, id: IdentityId) -> StoreResult<Vec<String>> {
    let rows = query(
        "SELECT identity, permission_set FROM permission_assignment
         WHERE identity = $1 ORDER BY permission_set",
    )
    .bind(id.0)
    .fetch_all(readers)
    .await
    .stored()?;
    let read = |row| {
        let mut fields = Fields::of(row);
        fields.table("permission_assignment")?;
        fields.get()
    };
    rows.iter().map(read).collect()
}

pub(crate) async fn effective_grants(readers: &Pool, id: IdentityId) -> StoreResult<Vec<Grant>> {
    let rows = query(
        "SELECT permission_set.id, permission_set.grants
         FROM permission_assignment
         JOIN permission_set ON permission_set.ref = permission_assignment.permission_set
             AND permission_set.tenant IN (permission_assignment.tenant, 0)
         WHERE permission_assignment.identity = $1
         ORDER BY permission_set.ref",
    )
    .bind(id.0)
    .fetch_all(readers)
    .await
    .stored()?;
    let mut grants = Vec::new();
    for row in &rows {
        let mut fields = Fields::of(row);
        fields.table("permission_set")?;
        grants.extend(Grant::read_all(&fields.json::<Json>()?));
    }
    Ok(grants)
}

/// The sets of the tenant and the shared ones, by ref.
pub(crate) async fn visible(readers: &Pool, scope: Scope) -> StoreResult<Vec<PermissionSet>> {
    let rows = query(
        "SELECT id, ref, label, description, grants FROM permission_set
         WHERE tenant IN ($1, 0) ORDER BY ref",
    )
    .bind(scope.tenant().0)
    .fetch_all(readers)
    .await
    .stored()?;
    let read = |row| {
        let mut fields = Fields::of(row);
        fields.table("permission_set")?;
        Ok(PermissionSet {
            reference: fields.get()?,
            label: fields.get()?,
            description: fields.get()?,
            grants: fields.json()?,
        })
    };
    rows.iter().map(read).collect()
}

/// Puts a pack's set in place. A set of the shared tenant, or of another pack, stays as it is
/// and makes this a `Duplicate`: whoever holds it would get grants its author never gave.
pub(crate) async fn install(
    connection: &mut Connection,
    tenant: TenantId,
    pack: PackId,
    set: PermissionSet,
) -> StoreResult<()> {
    let done = query(
        "INSERT INTO permission_set (tenant, pack, ref, label, description, grants)
         SELECT $1, $2, $3, $4, $5, $6
         WHERE $1 = 0 OR NOT EXISTS (SELECT 1 FROM permission_set WHERE tenant = 0 AND ref = $3)
         ON CONFLICT (tenant, ref) DO UPDATE
         SET label = excluded.label, description = excluded.description, grants = excluded.grants
         WHERE permission_set.pack = excluded.pack",
    )
    .bind(tenant.0)
    .bind(pack.0)
    .bind(&set.reference)
    .bind(set.label)
    .bind(set.description)
    .bind(json_text(&set.grants))
    .execute(connection)
    .await
    .stored()?;
    if done.rows_affected() == 0 {
        let text = format!("permission set '{}' already exists", set.reference);
        return Err(StoreError::Duplicate(text));
    }
    Ok(())
}

/// Deletes the sets of a pack that are not in `kept`, with their assignments: a set that
/// later comes with the same ref must not find holders.
pub(crate) async fn delete_others(
    connection: &mut Connection,
    tenant: TenantId,
    pack: PackId,
    kept: &[String],
) -> StoreResult<()> {
    let rows = query("SELECT id, ref FROM permission_set WHERE tenant = $1 AND pack = $2")
        .bind(tenant.0)
        .bind(pack.0)
        .fetch_all(&mut *connection)
        .await
        .stored()?;
    for row in &rows {
        let mut fields = Fields::of(row);
        let id = fields.table("permission_set")?;
        let reference: String = fields.get()?;
        if !kept.contains(&reference) {
            delete(connection, tenant, id, reference).await?;
        }
    }
    Ok(())
}

/// A shared set is assigned in every tenant, any other only in its own.
async fn delete(
    connection: &mut Connection,
    tenant: TenantId,
    id: i64,
    reference: String,
) -> StoreResult<()> {
    query("DELETE FROM permission_set WHERE id = $1")
        .bind(id)
        .execute(&mut *connection)
        .await
        .stored()?;
    query("DELETE FROM permission_assignment WHERE permission_set = $1 AND $2 IN (tenant, 0)")
        .bind(reference)
        .bind(tenant.0)
        .execute(connection)
        .await
        .stored()?;
    Ok(())
}
