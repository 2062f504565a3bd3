//! What stored values are sealed with, and its rotation.

use attune_domain::access::{Resource, Target, Verb, decide};
use attune_domain::audit::{AuditCategory, AuditOutcome, NewAuditEvent};
use attune_domain::vault::VaultState;
use axum::extract::State;
use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use serde_json::json;
use utoipa::ToSchema;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use super::{One, Refusals, one};
use crate::auth::Bearer;
use crate::envelope::Single;
use crate::input::{JsonBody, Validate};
use crate::problem::Problem;
use crate::state::ApiState;

pub(super) fn routes() -> OpenApiRouter<ApiState> {
    OpenApiRouter::new().routes(routes!(get_encryption)).routes(routes!(rotate_encryption))
}

#[derive(Clone, Copy, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
enum Rotated {
    DataKey,
    MasterKey,
}

#[derive(Deserialize, ToSchema)]
struct RotateEncryptionRequest {
    what: Rotated,
}

impl Validate for RotateEncryptionRequest {}

#[derive(Serialize, ToSchema)]
struct EncryptionResponse {
    /// Tells the master key in use from others.
    master_key: String,
    /// The tenant's data key; null before its first value.
    data_key: Option<i64>,
    data_key_created: Option<DateTime<Utc>>,
    /// Data keys whose values are still being sealed anew.
    retired_data_keys: u64,
}

impl From<VaultState> for EncryptionResponse {
    fn from(state: VaultState) -> EncryptionResponse {
        EncryptionResponse {
            master_key: state.master_key,
            data_key: state.data_key.map(|id| id.0),
            data_key_created: state.data_key_created,
            retired_data_keys: state.retired_data_keys,
        }
    }
}

#[derive(Serialize, ToSchema)]
struct RotationResponse {
    what: Rotated,
    /// Data keys that were wrapped anew, of a new master key.
    rewrapped: u64,
    #[serde(flatten)]
    encryption: EncryptionResponse,
}

/// Get what stored values are sealed with
#[utoipa::path(get, path = "/encryption", tag = "keys",
    responses((status = 200, body = Single<EncryptionResponse>), Refusals))]
async fn get_encryption(State(state): State<ApiState>, caller: Bearer) -> One<EncryptionResponse> {
    decide(&caller, Resource::Permissions, Verb::Manage, Target::default())?;
    Ok(one(state.vault.state(caller.scope()).await?.into()))
}

/// Seal with a new data key from now on, or wrap data keys with a new master key
#[utoipa::path(post, path = "/encryption/rotate", tag = "keys",
    request_body = RotateEncryptionRequest,
    responses((status = 200, body = Single<RotationResponse>), Refusals))]
async fn rotate_encryption(
    State(state): State<ApiState>,
    caller: Bearer,
    JsonBody(request): JsonBody<RotateEncryptionRequest>,
) -> One<RotationResponse> {
    decide(&caller, Resource::Permissions, Verb::Manage, Target::default())?;
    let rewrapped = match request.what {
        Rotated::DataKey => {
            state.vault.rotate_data_key(caller.scope()).await?;
            0
        }
        Rotated::MasterKey => state.vault.rotate_master_key().await?.rewrapped,
    };
    let encryption: EncryptionResponse = state.vault.state(caller.scope()).await?.into();
    record(&state, &caller, request.what, &encryption).await?;
    Ok(one(RotationResponse { what: request.what, rewrapped, encryption }))
}

async fn record(
    state: &ApiState,
    caller: &Bearer,
    what: Rotated,
    encryption: &EncryptionResponse,
) -> Result<(), Problem> {
    let event = NewAuditEvent {
        category: AuditCategory::Admin,
        event_type: "encryption.rotate".to_owned(),
        outcome: AuditOutcome::Success,
        actor_identity: Some(caller.identity()),
        resource_type: "encryption".to_owned(),
        resource_id: None,
        resource_ref: None,
        details: json!({"what": what, "master_key": encryption.master_key,
            "data_key": encryption.data_key}),
    };
    Ok(state.store.record_audit_event(caller.scope(), event, state.clock.now()).await?)
}
