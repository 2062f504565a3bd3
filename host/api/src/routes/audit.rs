//! The audit: what was done or refused. Only denials of the network are recorded so far.

use attune_domain::access::{Resource, Target, Verb, decide};
use attune_domain::audit::{AuditCategory, AuditFilter, AuditOutcome};
use attune_domain::clock::Timestamp;
use attune_domain::id::{AuditEventId, IdentityId};
use axum::Json;
use axum::extract::State;
use serde::Deserialize;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use super::{Many, One, Refusals, one};
use crate::auth::Bearer;
use crate::envelope::{List, Single};
use crate::input::query::optional;
use crate::input::{Path, QueryString};
use crate::models::audit::{AuditEventResponse, AuditEventSummary};
use crate::paging::Family;
use crate::problem::Problem;
use crate::state::ApiState;

pub(super) fn routes() -> OpenApiRouter<ApiState> {
    OpenApiRouter::new().routes(routes!(list_audit_events)).routes(routes!(get_audit_event))
}

#[derive(Deserialize, utoipa::IntoParams)]
#[into_params(parameter_in = Query)]
struct AuditEventQueryParams {
    #[serde(default, deserialize_with = "optional")]
    #[param(value_type = Option<String>)]
    category: Option<AuditCategory>,
    #[serde(default, deserialize_with = "optional")]
    event_type: Option<String>,
    #[serde(default, deserialize_with = "optional")]
    #[param(value_type = Option<String>)]
    outcome: Option<AuditOutcome>,
    #[serde(default, deserialize_with = "optional")]
    actor_identity: Option<i64>,
    #[serde(default, deserialize_with = "optional")]
    resource_type: Option<String>,
    #[serde(default, deserialize_with = "optional")]
    resource_id: Option<i64>,
    #[serde(default, deserialize_with = "optional")]
    resource_ref: Option<String>,
    #[serde(default, deserialize_with = "optional")]
    #[param(value_type = Option<String>)]
    created_after: Option<Timestamp>,
    #[serde(default, deserialize_with = "optional")]
    #[param(value_type = Option<String>)]
    created_before: Option<Timestamp>,
    #[serde(default, deserialize_with = "optional")]
    include_total: Option<bool>,
    #[serde(default, deserialize_with = "optional")]
    page: Option<i64>,
    /// 50 unless given, at most 500.
    #[serde(default, deserialize_with = "optional")]
    per_page: Option<i64>,
}

/// List audit events, newest first
#[utoipa::path(get, path = "/audit-events", tag = "audit", params(AuditEventQueryParams),
    responses((status = 200, body = List<AuditEventSummary>), Refusals))]
async fn list_audit_events(
    State(state): State<ApiState>,
    caller: Bearer,
    QueryString(asked): QueryString<AuditEventQueryParams>,
) -> Many<AuditEventSummary> {
    decide(&caller, Resource::AuditLog, Verb::Read, Target::default())?;
    let page = Family::AUDIT.page(asked.page, asked.per_page, asked.include_total == Some(true));
    let filter = AuditFilter {
        category: asked.category,
        event_type: asked.event_type,
        outcome: asked.outcome,
        actor_identity: asked.actor_identity.map(IdentityId),
        resource_type: asked.resource_type,
        resource_id: asked.resource_id,
        resource_ref: asked.resource_ref,
        created_after: asked.created_after,
        created_before: asked.created_before,
    };
    let listing = state.store.audit_events(caller.scope(), &filter, page).await?;
    Ok(Json(List::of(page, listing, AuditEventSummary::from)))
}

/// Get an audit event
#[utoipa::path(get, path = "/audit-events/{id}", tag = "audit", params(("id" = i64, Path)),
    responses((status = 200, body = Single<AuditEventResponse>), Refusals))]
async fn get_audit_event(
    State(state): State<ApiState>,
    caller: Bearer,
    Path(id): Path<i64>,
) -> One<AuditEventResponse> {
    decide(&caller, Resource::AuditLog, Verb::Read, Target::default())?;
    let found = state.store.audit_event(caller.scope(), AuditEventId(id)).await?;
    let event = found.ok_or_else(|| Problem::not_found("audit event not found"))?;
    Ok(one(event.into()))
}
