//! The audit (contract, models).

use attune_domain::Json;
use attune_domain::audit::AuditEvent;
use chrono::{DateTime, Utc};
use serde::Serialize;
use utoipa::ToSchema;

#[derive(Serialize, ToSchema)]
pub(crate) struct AuditEventSummary {
    id: i64,
    created: DateTime<Utc>,
    category: &'static str,
    event_type: String,
    outcome: &'static str,
    actor_identity: Option<i64>,
    actor_login: Option<String>,
    resource_type: String,
    resource_ref: Option<String>,
}

impl From<AuditEvent> for AuditEventSummary {
    fn from(recorded: AuditEvent) -> AuditEventSummary {
        let AuditEvent { id, created, event, actor_login } = recorded;
        AuditEventSummary {
            id: id.0,
            created,
            category: event.category.as_str(),
            event_type: event.event_type,
            outcome: event.outcome.as_str(),
            actor_identity: event.actor_identity.map(|identity| identity.0),
            actor_login,
            resource_type: event.resource_type,
            resource_ref: event.resource_ref,
        }
    }
}

#[derive(Serialize, ToSchema)]
pub(crate) struct AuditEventResponse {
    #[serde(flatten)]
    summary: AuditEventSummary,
    resource_id: Option<i64>,
    details: Json,
}

impl From<AuditEvent> for AuditEventResponse {
    fn from(mut recorded: AuditEvent) -> AuditEventResponse {
        let (resource_id, details) = (recorded.event.resource_id, recorded.event.details.take());
        AuditEventResponse { summary: recorded.into(), resource_id, details }
    }
}
