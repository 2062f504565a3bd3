//! The audit: what was done or refused, by whom, for a tenant's own eyes.

use crate::Json;
use crate::clock::Timestamp;
use crate::id::{AuditEventId, IdentityId};
use crate::words::words;

words! {
    /// What an event is about (contract, models).
    AuditCategory {
        Api = "api", Auth = "auth", Rbac = "rbac", Secret = "secret", Admin = "admin",
        Execution = "execution", Pack = "pack",
    }
}

words! {
    /// How it went.
    AuditOutcome { Success = "success", Failure = "failure", Denied = "denied" }
}

/// What is to be recorded.
#[derive(Clone, Debug)]
pub struct NewAuditEvent {
    pub category: AuditCategory,
    /// What happened, such as `egress.denied`.
    pub event_type: String,
    pub outcome: AuditOutcome,
    /// On whose behalf.
    pub actor_identity: Option<IdentityId>,
    /// What it happened to: its kind, id and ref.
    pub resource_type: String,
    pub resource_id: Option<i64>,
    pub resource_ref: Option<String>,
    pub details: Json,
}

/// What was recorded.
#[derive(Clone, Debug)]
pub struct AuditEvent {
    pub id: AuditEventId,
    pub created: Timestamp,
    pub event: NewAuditEvent,
    /// The login of the actor, as it is now.
    pub actor_login: Option<String>,
}

/// Which events are asked for; what is none is not asked about.
#[derive(Clone, Debug, Default)]
pub struct AuditFilter {
    pub category: Option<AuditCategory>,
    pub event_type: Option<String>,
    pub outcome: Option<AuditOutcome>,
    pub actor_identity: Option<IdentityId>,
    pub resource_type: Option<String>,
    pub resource_id: Option<i64>,
    pub resource_ref: Option<String>,
    pub created_after: Option<Timestamp>,
    pub created_before: Option<Timestamp>,
}
