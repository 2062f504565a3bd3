//! The caller's own identity.

use attune_domain::identity::{Identity, TokenKind};
use axum::extract::State;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use super::{One, Refusals, one};
use crate::auth::Bearer;
use crate::envelope::{Single, Success};
use crate::input::{JsonBody, Patch};
use crate::models::auth::{ChangePasswordRequest, CurrentUserResponse, UpdateCurrentUserRequest};
use crate::problem::Problem;
use crate::state::ApiState;

pub(super) fn routes() -> OpenApiRouter<ApiState> {
    OpenApiRouter::new().routes(routes!(me, update_me)).routes(routes!(change_password))
}

/// The caller's identity and permissions
#[utoipa::path(get, path = "/auth/me", tag = "auth",
    responses((status = 200, body = Single<CurrentUserResponse>), Refusals))]
async fn me(State(state): State<ApiState>, caller: Bearer) -> One<CurrentUserResponse> {
    current_user(&state, &caller).await
}

/// Change the caller's display name
#[utoipa::path(put, path = "/auth/me", tag = "auth", request_body = UpdateCurrentUserRequest,
    responses((status = 200, body = Single<CurrentUserResponse>), Refusals))]
async fn update_me(
    State(state): State<ApiState>,
    caller: Bearer,
    JsonBody(request): JsonBody<UpdateCurrentUserRequest>,
) -> One<CurrentUserResponse> {
    refuse_executions(&caller)?;
    if let Some(display_name) = request.display_name.map(Patch::into_value) {
        let now = state.clock.now();
        state.store.set_display_name(caller.scope(), caller.identity(), display_name, now).await?;
    }
    current_user(&state, &caller).await
}

/// Change the caller's password; all its tokens end
#[utoipa::path(post, path = "/auth/change-password", tag = "auth", request_body = ChangePasswordRequest,
    responses((status = 200, body = Single<Success>), Refusals))]
async fn change_password(
    State(state): State<ApiState>,
    caller: Bearer,
    JsonBody(request): JsonBody<ChangePasswordRequest>,
) -> One<Success> {
    refuse_executions(&caller)?;
    let identity = own_identity(&state, &caller).await?;
    let fault = |error| Problem::fault(&error, "hashing a password");
    let hash = identity.password_hash;
    if hash.is_none() {
        return Err(Problem::bad_request("This identity has no local password"));
    }
    if !state.passwords.verify(request.current_password, hash).await.map_err(fault)? {
        return Err(Problem::unauthorized("The current password is wrong"));
    }
    let hash = state.passwords.hash(request.new_password).await.map_err(fault)?;
    state.store.set_password(caller.scope(), identity.id, hash, state.clock.now()).await?;
    state.principals.forget(identity.id);
    Ok(one(Success::new("Password changed successfully")))
}

/// Whose action it runs is not whose account it may change.
fn refuse_executions(caller: &Bearer) -> Result<(), Problem> {
    match caller.token() {
        TokenKind::Execution => {
            Err(Problem::forbidden("Insufficient permissions: an execution has no account"))
        }
        _ => Ok(()),
    }
}

async fn current_user(state: &ApiState, caller: &Bearer) -> One<CurrentUserResponse> {
    let identity = own_identity(state, caller).await?;
    let sets = state.store.assigned_permission_sets(identity.id).await?;
    Ok(one(CurrentUserResponse::new(identity, caller.grants(), sets)))
}

async fn own_identity(state: &ApiState, caller: &Bearer) -> Result<Identity, Problem> {
    let identity = state.store.identity(caller.identity()).await?;
    identity.ok_or_else(|| Problem::bearer("Invalid authentication token"))
}
