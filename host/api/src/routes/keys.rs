//! Keys: values and secrets (contract, data and people section 1).

use attune_domain::access::{Resource, Verb, decide_early, keys_seen};
use attune_domain::key::KeyFilter;
use attune_domain::owner::OwnerType;
use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use serde::Deserialize;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use super::{Many, One, Refusals, one};
use crate::auth::Bearer;
use crate::envelope::{List, Single, Success};
use crate::input::query::optional;
use crate::input::{JsonBody, Path, QueryString};
use crate::keys;
use crate::models::key::{
    CreateKeyRequest, IncrementKeyRequest, KeyResponse, KeySummary, UpdateKeyRequest,
};
use crate::paging::Family;
use crate::problem::Problem;
use crate::state::ApiState;

pub(super) fn routes() -> OpenApiRouter<ApiState> {
    OpenApiRouter::new()
        .routes(routes!(list_keys, create_key))
        .routes(routes!(get_key, update_key, delete_key))
        .routes(routes!(increment_key))
}

#[derive(Deserialize, utoipa::IntoParams)]
#[into_params(parameter_in = Query)]
struct KeyQueryParams {
    #[serde(default, deserialize_with = "optional")]
    owner_type: Option<String>,
    /// The owner's ref, or an identity's id.
    #[serde(default, deserialize_with = "optional")]
    owner: Option<String>,
    #[serde(default, deserialize_with = "optional")]
    page: Option<i64>,
    /// 50 unless given.
    #[serde(default, deserialize_with = "optional")]
    per_page: Option<i64>,
}

/// List the keys the caller may see, without their values
#[utoipa::path(get, path = "/keys", tag = "keys", params(KeyQueryParams),
    responses((status = 200, body = List<KeySummary>), Refusals))]
async fn list_keys(
    State(state): State<ApiState>,
    caller: Bearer,
    QueryString(asked): QueryString<KeyQueryParams>,
) -> Many<KeySummary> {
    decide_early(&caller, Resource::Keys, Verb::Read)?;
    let kind = asked.owner_type.map(|word| word.parse::<OwnerType>()).transpose();
    let owner_type = kind.map_err(|error| Problem::invalid("owner_type", error.to_string()))?;
    let filter = KeyFilter { seen: keys_seen(&caller), owner_type, owner: asked.owner };
    let page = Family::KEYS.page(asked.page, asked.per_page, true);
    let listing = state.store.keys(caller.scope(), &filter, page, state.clock.now()).await?;
    Ok(Json(List::of(page, listing, KeySummary::from)))
}

/// Create a key
#[utoipa::path(post, path = "/keys", tag = "keys", request_body = CreateKeyRequest,
    responses((status = 201, body = Single<KeyResponse>), Refusals))]
async fn create_key(
    State(state): State<ApiState>,
    caller: Bearer,
    JsonBody(request): JsonBody<CreateKeyRequest>,
) -> Result<(StatusCode, Json<Single<KeyResponse>>), Problem> {
    let key = keys::create(&state, &caller, &request).await?;
    Ok((StatusCode::CREATED, one(KeyResponse::new(key, request.value.0))))
}

/// Get a key; its value for those who may decrypt it
#[utoipa::path(get, path = "/keys/{ref}", tag = "keys", params(("ref" = String, Path)),
    responses((status = 200, body = Single<KeyResponse>), Refusals))]
async fn get_key(
    State(state): State<ApiState>,
    caller: Bearer,
    Path(reference): Path<String>,
) -> One<KeyResponse> {
    let stored = keys::found(&state, &caller, Verb::Read, &reference).await?;
    let value = keys::shown_value(&state, &caller, &stored).await?;
    Ok(one(KeyResponse::new(stored.key, value)))
}

/// Change a key, if it is as expected
#[utoipa::path(put, path = "/keys/{ref}", tag = "keys", params(("ref" = String, Path)),
    request_body = UpdateKeyRequest,
    responses((status = 200, body = Single<KeyResponse>), Refusals))]
async fn update_key(
    State(state): State<ApiState>,
    caller: Bearer,
    Path(reference): Path<String>,
    JsonBody(request): JsonBody<UpdateKeyRequest>,
) -> One<KeyResponse> {
    keys::update(&state, &caller, &reference, &request).await.map(one)
}

/// Delete a key
#[utoipa::path(delete, path = "/keys/{ref}", tag = "keys", params(("ref" = String, Path)),
    responses((status = 200, body = Success), Refusals))]
async fn delete_key(
    State(state): State<ApiState>,
    caller: Bearer,
    Path(reference): Path<String>,
) -> Result<Json<Success>, Problem> {
    keys::delete(&state, &caller, &reference).await?;
    Ok(Json(Success::new(format!("Key '{reference}' deleted successfully"))))
}

/// Add to the number that a key holds; of many at once, none is lost
#[utoipa::path(post, path = "/keys/{ref}/increment", tag = "keys",
    params(("ref" = String, Path)), request_body = IncrementKeyRequest,
    responses((status = 200, body = Single<KeyResponse>), Refusals))]
async fn increment_key(
    State(state): State<ApiState>,
    caller: Bearer,
    Path(reference): Path<String>,
    JsonBody(request): JsonBody<IncrementKeyRequest>,
) -> One<KeyResponse> {
    keys::increment(&state, &caller, &reference, request.by).await.map(one)
}
