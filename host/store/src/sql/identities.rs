//! Identities: who signs in.

use async_trait::async_trait;
use attune_domain::access::{Grant, Scope, Tenant};
use attune_domain::clock::Timestamp;
use attune_domain::id::{IdentityId, TenantId};
use attune_domain::identity::{Identity, NewIdentity};
use attune_domain::store::{IdentityStore, StoreResult};
use sqlx::query;

use super::engine::Connection;
use super::rows::{Fields, micros};
use super::{EngineStore, permissions};
use crate::error::{Stored, corrupt};

/// The tenant that migration 1 makes for installations with a single one.
const EMBEDDED: TenantId = TenantId(1);

macro_rules! identity_columns {
    () => {
        "id, tenant, login, display_name, password_hash, frozen, attributes, created, updated"
    };
}

fn read(fields: &mut Fields<'_>) -> StoreResult<Identity> {
    Ok(Identity {
        id: IdentityId(fields.table("identity")?),
        tenant: TenantId(fields.get()?),
        login: fields.get()?,
        display_name: fields.get()?,
        password_hash: fields.get()?,
        frozen: fields.get()?,
        attributes: fields.json()?,
        created: fields.time()?,
        updated: fields.time()?,
    })
}

#[async_trait]
impl IdentityStore for EngineStore {
    async fn embedded_tenant(&self) -> StoreResult<Tenant> {
        self.tenant(EMBEDDED).await
    }

    async fn shared_tenant(&self) -> StoreResult<Tenant> {
        self.tenant(TenantId::SHARED).await
    }

    async fn create_identity(&self, new: NewIdentity, now: Timestamp) -> StoreResult<Identity> {
        self.writer.write(move |connection| Box::pin(create(connection, new, now))).await
    }

    async fn has_identities(&self) -> StoreResult<bool> {
        let found = query("SELECT id FROM identity LIMIT 1").fetch_optional(&self.readers);
        Ok(found.await.stored()?.is_some())
    }

    async fn identity_by_login(&self, login: &str) -> StoreResult<Option<Identity>> {
        let sql = concat!("SELECT ", identity_columns!(), " FROM identity WHERE login = $1");
        let row = query(sql).bind(login).fetch_optional(&self.readers).await.stored()?;
        row.map(|row| read(&mut Fields::of(&row))).transpose()
    }

    async fn identity(&self, id: IdentityId) -> StoreResult<Option<Identity>> {
        let sql = concat!("SELECT ", identity_columns!(), " FROM identity WHERE id = $1");
        let row = query(sql).bind(id.0).fetch_optional(&self.readers).await.stored()?;
        row.map(|row| read(&mut Fields::of(&row))).transpose()
    }

    async fn set_display_name(
        &self,
        scope: Scope,
        id: IdentityId,
        display_name: Option<String>,
        now: Timestamp,
    ) -> StoreResult<()> {
        self.writer
            .write_or_refuse(move |connection| {
                Box::pin(async move {
                    let sql = "UPDATE identity SET display_name = $3, updated = $4
                         WHERE id = $1 AND tenant = $2";
                    let update = query(sql).bind(id.0).bind(scope.tenant().0).bind(display_name);
                    update.bind(micros(now)).execute(connection).await.stored()?;
                    Ok(())
                })
            })
            .await
    }

    async fn set_password(
        &self,
        scope: Scope,
        id: IdentityId,
        password_hash: String,
        now: Timestamp,
    ) -> StoreResult<()> {
        self.writer
            .write(move |connection| {
                Box::pin(set_password(connection, scope, id, password_hash, now))
            })
            .await
    }

    async fn assigned_permission_sets(&self, id: IdentityId) -> StoreResult<Vec<String>> {
        permissions::assigned(&self.readers, id).await
    }

    async fn effective_grants(&self, id: IdentityId) -> StoreResult<Vec<Grant>> {
        permissions::effective_grants(&self.readers, id).await
    }
}

impl EngineStore {
    async fn tenant(&self, id: TenantId) -> StoreResult<Tenant> {
        let row = query("SELECT id, name FROM tenant WHERE id = $1")
            .bind(id.0)
            .fetch_optional(&self.readers)
            .await
            .stored()?;
        let row = row.ok_or_else(|| corrupt("tenant", id.0, "the tenant is missing"))?;
        let mut fields = Fields::of(&row);
        Ok(Tenant { id: TenantId(fields.table("tenant")?), name: fields.get()? })
    }
}

async fn create(
    connection: &mut Connection,
    new: NewIdentity,
    now: Timestamp,
) -> StoreResult<Identity> {
    let sql = concat!(
        "INSERT INTO identity
             (tenant, login, display_name, password_hash, frozen, attributes, created, updated)
         VALUES ($1, $2, $3, $4, FALSE, '{}', $5, $5) RETURNING ",
        identity_columns!()
    );
    let row = query(sql)
        .bind(new.tenant.0)
        .bind(&new.login)
        .bind(new.display_name)
        .bind(new.password_hash)
        .bind(micros(now))
        .fetch_one(&mut *connection)
        .await
        .or_taken(|| format!("login '{}' already exists", new.login))?;
    let identity = read(&mut Fields::of(&row))?;
    for reference in new.permission_sets {
        permissions::assign(connection, &identity, reference).await?;
    }
    Ok(identity)
}

async fn set_password(
    connection: &mut Connection,
    scope: Scope,
    id: IdentityId,
    password_hash: String,
    now: Timestamp,
) -> StoreResult<()> {
    query("UPDATE identity SET password_hash = $3, updated = $4 WHERE id = $1 AND tenant = $2")
        .bind(id.0)
        .bind(scope.tenant().0)
        .bind(password_hash)
        .bind(micros(now))
        .execute(&mut *connection)
        .await
        .stored()?;
    query("DELETE FROM token WHERE identity = $1 AND tenant = $2")
        .bind(id.0)
        .bind(scope.tenant().0)
        .execute(connection)
        .await
        .stored()?;
    Ok(())
}
