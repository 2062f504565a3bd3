//! Keys: values and secrets, sealed.

mod filter;
mod write;

use async_trait::async_trait;
use attune_domain::access::Scope;
use attune_domain::audit::NewAuditEvent;
use attune_domain::clock::Timestamp;
use attune_domain::id::{ActionId, DataKeyId, IdentityId, KeyId, PackId, TenantId};
use attune_domain::key::{Key, KeyChange, KeyCreated, KeyFilter, NewKey, SealedKey};
use attune_domain::owner::{Owner, OwnerType};
use attune_domain::page::{Listing, Page};
use attune_domain::store::{KeyStore, StoreResult};
use attune_domain::vault::Sealed;
use sqlx::{QueryBuilder, query};

use super::EngineStore;
use super::rows::{Fields, count, listing, micros, push_page};
use crate::error::Stored;

macro_rules! key_columns {
    () => {
        "key.id, key.tenant, key.ref, key.name, key.owner_type, key.owner, key.owner_identity, \
         key.owner_pack, key.owner_action, key.pack_ref, key.encrypted, key.version, \
         key.expires_at, key.created, key.updated"
    };
}
use key_columns;

macro_rules! sealed_key_columns {
    () => {
        "key.id, key.tenant, key.ref, key.name, key.owner_type, key.owner, key.owner_identity, \
         key.owner_pack, key.owner_action, key.pack_ref, key.encrypted, key.version, \
         key.expires_at, key.created, key.updated, key.data_key, key.value"
    };
}
pub(crate) use sealed_key_columns;

fn read(fields: &mut Fields<'_>) -> StoreResult<Key> {
    Ok(Key {
        id: KeyId(fields.table("key")?),
        tenant: TenantId(fields.get()?),
        reference: fields.get()?,
        name: fields.get()?,
        owner: read_owner(fields)?,
        encrypted: fields.get()?,
        version: fields.get()?,
        expires_at: fields.optional_time()?,
        created: fields.time()?,
        updated: fields.time()?,
    })
}

fn read_owner(fields: &mut Fields<'_>) -> StoreResult<Owner> {
    let kind: OwnerType = fields.word(|word| word.parse().ok())?;
    let text: Option<String> = fields.get()?;
    let [identity, pack, action]: [Option<i64>; 3] = [fields.get()?, fields.get()?, fields.get()?];
    let pack_ref: Option<String> = fields.get()?;
    let owner = match kind {
        OwnerType::System => Some(Owner::System),
        OwnerType::Identity => identity.map(|id| Owner::Identity(IdentityId(id))),
        OwnerType::Pack => pack.zip(text).map(|(id, reference)| {
            let id = PackId(id);
            Owner::Pack { id, reference }
        }),
        OwnerType::Action => action.zip(text).zip(pack_ref).map(|((id, reference), pack_ref)| {
            let id = ActionId(id);
            Owner::Action { id, reference, pack_ref }
        }),
        OwnerType::Sensor => None,
    };
    owner.ok_or_else(|| fields.corrupt("the owner is incomplete"))
}

pub(crate) fn read_sealed(fields: &mut Fields<'_>) -> StoreResult<SealedKey> {
    let key = read(fields)?;
    let data_key = DataKeyId(fields.get()?);
    let bytes: Vec<u8> = fields.get()?;
    Ok(SealedKey { key, value: Sealed { data_key, bytes: bytes.into() } })
}

#[async_trait]
impl KeyStore for EngineStore {
    async fn create_key(
        &self,
        scope: Scope,
        new: NewKey,
        audit: NewAuditEvent,
        now: Timestamp,
    ) -> StoreResult<KeyCreated> {
        self.writer
            .write(move |connection| Box::pin(write::create(connection, scope, new, audit, now)))
            .await
    }

    async fn key(
        &self,
        scope: Scope,
        reference: &str,
        now: Timestamp,
    ) -> StoreResult<Option<SealedKey>> {
        let sql = concat!(
            "SELECT ",
            sealed_key_columns!(),
            " FROM key WHERE tenant = $1 AND ref = $2
                AND (expires_at IS NULL OR expires_at > $3)"
        );
        let select = query(sql).bind(scope.tenant().0).bind(reference).bind(micros(now));
        let row = select.fetch_optional(&self.readers).await.stored()?;
        row.map(|row| read_sealed(&mut Fields::of(&row))).transpose()
    }

    async fn keys(
        &self,
        scope: Scope,
        filter: &KeyFilter,
        page: Page,
        now: Timestamp,
    ) -> StoreResult<Listing<Key>> {
        let select = |columns: &'static str| {
            let mut sql = QueryBuilder::new("SELECT ");
            sql.push(columns).push(" FROM key WHERE tenant = ").push_bind(scope.tenant().0);
            sql.push(" AND (expires_at IS NULL OR expires_at > ").push_bind(micros(now)).push(")");
            filter::push(&mut sql, filter);
            sql
        };
        let readers = self.readers_for(false);
        let total = if page.count { Some(count(readers, select("COUNT(*)")).await?) } else { None };
        let mut sql = select(key_columns!());
        sql.push(" ORDER BY ref");
        push_page(&mut sql, page);
        let rows = sql.build().fetch_all(readers).await.stored()?;
        listing(rows, page, total, read)
    }

    async fn update_key(
        &self,
        scope: Scope,
        read: &Key,
        change: KeyChange,
        audit: NewAuditEvent,
        now: Timestamp,
    ) -> StoreResult<Key> {
        let read = read.clone();
        self.writer
            .write(move |connection| {
                Box::pin(write::update(connection, scope, read, change, audit, now))
            })
            .await
    }

    async fn delete_key(
        &self,
        scope: Scope,
        read: &Key,
        audit: NewAuditEvent,
        now: Timestamp,
    ) -> StoreResult<bool> {
        let id = read.id;
        self.writer
            .write(move |connection| Box::pin(write::delete(connection, scope, id, audit, now)))
            .await
    }

    async fn keys_for_action(
        &self,
        scope: Scope,
        pack: PackId,
        action: ActionId,
        now: Timestamp,
    ) -> StoreResult<Vec<SealedKey>> {
        // By ref within each kind of owner, so that of equal names the same one wins each time.
        let sql = concat!(
            "SELECT ",
            sealed_key_columns!(),
            " FROM key WHERE tenant = $1 AND (expires_at IS NULL OR expires_at > $2)
                AND (owner_type = 'system' OR owner_pack = $3 OR owner_action = $4)
             ORDER BY CASE owner_type WHEN 'system' THEN 0 WHEN 'pack' THEN 1 ELSE 2 END, ref"
        );
        let select = query(sql).bind(scope.tenant().0).bind(micros(now)).bind(pack.0);
        let rows = select.bind(action.0).fetch_all(&self.readers).await.stored()?;
        rows.iter().map(|row| read_sealed(&mut Fields::of(row))).collect()
    }

    async fn owner_ref(
        &self,
        scope: Scope,
        kind: OwnerType,
        id: i64,
    ) -> StoreResult<Option<String>> {
        let sql = match kind {
            OwnerType::Pack => "SELECT ref FROM pack WHERE id = $1 AND tenant IN ($2, 0)",
            OwnerType::Action => "SELECT ref FROM action WHERE id = $1 AND tenant IN ($2, 0)",
            OwnerType::System | OwnerType::Identity | OwnerType::Sensor => return Ok(None),
        };
        let select = query(sql).bind(id).bind(scope.tenant().0);
        let row = select.fetch_optional(&self.readers).await.stored()?;
        row.map(|row| Fields::of(&row).get()).transpose()
    }

    async fn sweep_keys(&self, now: Timestamp, limit: u32) -> StoreResult<u64> {
        self.writer
            .write_one(move |connection| {
                Box::pin(async move {
                    let delete = query(
                        "DELETE FROM key WHERE id IN (SELECT id FROM key WHERE expires_at <= $1
                             ORDER BY expires_at LIMIT $2)",
                    );
                    let delete = delete.bind(micros(now)).bind(i64::from(limit));
                    Ok(delete.execute(connection).await.stored()?.rows_affected())
                })
            })
            .await
    }

    async fn next_key_expiry(&self) -> StoreResult<Option<Timestamp>> {
        let select = query(
            "SELECT id, expires_at FROM key WHERE expires_at IS NOT NULL
             ORDER BY expires_at LIMIT 1",
        );
        let Some(row) = select.fetch_optional(&self.readers).await.stored()? else {
            return Ok(None);
        };
        let mut fields = Fields::of(&row);
        fields.table("key")?;
        fields.time().map(Some)
    }
}
