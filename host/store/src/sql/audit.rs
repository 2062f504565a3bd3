//! The audit.

use async_trait::async_trait;
use attune_domain::access::Scope;
use attune_domain::audit::{AuditEvent, AuditFilter, NewAuditEvent};
use attune_domain::clock::Timestamp;
use attune_domain::id::{AuditEventId, IdentityId, TenantId};
use attune_domain::page::{Listing, Page};
use attune_domain::store::{AuditStore, StoreResult};
use sqlx::{QueryBuilder, query};

use super::EngineStore;
use super::engine::{Connection, Engine};
use super::rows::{Fields, count, json_text, listing, micros, push_page};
use crate::error::Stored;

macro_rules! audit_columns {
    () => {
        "audit_event.id, audit_event.created, audit_event.category, audit_event.event_type, \
         audit_event.outcome, audit_event.actor_identity, audit_event.resource_type, \
         audit_event.resource_id, audit_event.resource_ref, audit_event.details, \
         (SELECT identity.login FROM identity WHERE identity.id = audit_event.actor_identity)"
    };
}

fn read(fields: &mut Fields<'_>) -> StoreResult<AuditEvent> {
    Ok(AuditEvent {
        id: AuditEventId(fields.table("audit_event")?),
        created: fields.time()?,
        event: NewAuditEvent {
            category: fields.word(|word| word.parse().ok())?,
            event_type: fields.get()?,
            outcome: fields.word(|word| word.parse().ok())?,
            actor_identity: fields.get::<Option<i64>>()?.map(IdentityId),
            resource_type: fields.get()?,
            resource_id: fields.get()?,
            resource_ref: fields.get()?,
            details: fields.json()?,
        },
        actor_login: fields.get()?,
    })
}

#[async_trait]
impl AuditStore for EngineStore {
    async fn record_audit_event(
        &self,
        scope: Scope,
        event: NewAuditEvent,
        now: Timestamp,
    ) -> StoreResult<()> {
        let tenant = scope.tenant();
        self.writer.write(move |connection| Box::pin(insert(connection, tenant, event, now))).await
    }

    async fn audit_events(
        &self,
        scope: Scope,
        filter: &AuditFilter,
        page: Page,
    ) -> StoreResult<Listing<AuditEvent>> {
        let select = |columns: &'static str| {
            let mut sql = QueryBuilder::new("SELECT ");
            sql.push(columns).push(" FROM audit_event WHERE tenant = ");
            sql.push_bind(scope.tenant().0);
            push_filter(&mut sql, filter);
            sql
        };
        let readers = self.readers_for(false);
        let total = if page.count { Some(count(readers, select("COUNT(*)")).await?) } else { None };
        let mut sql = select(audit_columns!());
        sql.push(" ORDER BY created DESC, id DESC");
        push_page(&mut sql, page);
        let rows = sql.build().fetch_all(readers).await.stored()?;
        listing(rows, page, total, read)
    }

    async fn audit_event(&self, scope: Scope, id: AuditEventId) -> StoreResult<Option<AuditEvent>> {
        let sql =
            concat!("SELECT ", audit_columns!(), " FROM audit_event WHERE id = $1 AND tenant = $2");
        let select = query(sql).bind(id.0).bind(scope.tenant().0);
        let row = select.fetch_optional(&self.readers).await.stored()?;
        row.map(|row| read(&mut Fields::of(&row))).transpose()
    }
}

/// Writes an event in the commit of what it tells of.
pub(crate) async fn insert(
    connection: &mut Connection,
    tenant: TenantId,
    event: NewAuditEvent,
    now: Timestamp,
) -> StoreResult<()> {
    query(
        "INSERT INTO audit_event (tenant, created, category, event_type, outcome, \
         actor_identity, resource_type, resource_id, resource_ref, details) \
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10)",
    )
    .bind(tenant.0)
    .bind(micros(now))
    .bind(event.category.as_str())
    .bind(event.event_type)
    .bind(event.outcome.as_str())
    .bind(event.actor_identity.map(|identity| identity.0))
    .bind(event.resource_type)
    .bind(event.resource_id)
    .bind(event.resource_ref)
    .bind(json_text(&event.details))
    .execute(connection)
    .await
    .stored()?;
    Ok(())
}

fn push_filter(sql: &mut QueryBuilder<Engine>, filter: &AuditFilter) {
    let words = [
        ("category", filter.category.map(|category| category.as_str().to_owned())),
        ("event_type", filter.event_type.clone()),
        ("outcome", filter.outcome.map(|outcome| outcome.as_str().to_owned())),
        ("resource_type", filter.resource_type.clone()),
        ("resource_ref", filter.resource_ref.clone()),
    ];
    for (column, word) in words {
        if let Some(word) = word {
            sql.push(" AND ").push(column).push(" = ").push_bind(word);
        }
    }
    let numbers = [
        (" AND actor_identity = ", filter.actor_identity.map(|identity| identity.0)),
        (" AND resource_id = ", filter.resource_id),
        (" AND created > ", filter.created_after.map(micros)),
        (" AND created < ", filter.created_before.map(micros)),
    ];
    for (condition, number) in numbers {
        if let Some(number) = number {
            sql.push(condition).push_bind(number);
        }
    }
}
