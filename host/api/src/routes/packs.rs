//! Packs: their metadata. Uploads are in [`super::upload`].

use attune_domain::access::{Resource, Verb};
use attune_domain::store::StoreError;
use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use serde::Deserialize;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use super::{Many, One, Refusals, one};
use crate::access::{decide_pack, not_shared, visible_pack, visible_packs};
use crate::auth::Bearer;
use crate::envelope::{List, Single, Success};
use crate::input::query::optional;
use crate::input::{JsonBody, Path, QueryString};
use crate::models::pack::{CreatePackRequest, PackResponse, PackSummary, UpdatePackRequest};
use crate::paging::Family;
use crate::problem::Problem;
use crate::state::ApiState;

pub(super) fn routes() -> OpenApiRouter<ApiState> {
    OpenApiRouter::new().routes(routes!(list_packs, create_pack)).routes(routes!(
        get_pack,
        update_pack,
        delete_pack
    ))
}

#[derive(Deserialize, utoipa::IntoParams)]
#[into_params(parameter_in = Query)]
pub(super) struct PageParams {
    #[serde(default, deserialize_with = "optional")]
    pub(super) page: Option<i64>,
    /// 50 unless given, at most 100.
    #[serde(default, deserialize_with = "optional")]
    pub(super) page_size: Option<i64>,
}

/// List the packs the caller may see
#[utoipa::path(get, path = "/packs", tag = "packs", params(PageParams),
    responses((status = 200, body = List<PackSummary>), Refusals))]
async fn list_packs(
    State(state): State<ApiState>,
    caller: Bearer,
    QueryString(asked): QueryString<PageParams>,
) -> Many<PackSummary> {
    let page = Family::BY_REF.page(asked.page, asked.page_size, true);
    let listing = state.store.packs(caller.scope(), &visible_packs(&caller), page).await?;
    Ok(Json(List::of(page, listing, PackSummary::from)))
}

/// Create a pack without files
#[utoipa::path(post, path = "/packs", tag = "packs", request_body = CreatePackRequest,
    responses((status = 201, body = Single<PackResponse>), Refusals))]
async fn create_pack(
    State(state): State<ApiState>,
    caller: Bearer,
    JsonBody(request): JsonBody<CreatePackRequest>,
) -> Result<(StatusCode, Json<Single<PackResponse>>), Problem> {
    decide_pack(&caller, Verb::Create, &request.reference)?;
    let taken = format!("Pack '{}' already exists", request.reference);
    let new = request.into_new(caller.identity());
    match state.store.create_pack(caller.scope(), new, state.clock.now()).await {
        Ok(pack) => Ok((StatusCode::CREATED, one(pack.into()))),
        Err(StoreError::Duplicate(_)) => Err(Problem::conflict(taken)),
        Err(error) => Err(error.into()),
    }
}

/// Get a pack
#[utoipa::path(get, path = "/packs/{ref}", tag = "packs", params(("ref" = String, Path)),
    responses((status = 200, body = Single<PackResponse>), Refusals))]
async fn get_pack(
    State(state): State<ApiState>,
    caller: Bearer,
    Path(reference): Path<String>,
) -> One<PackResponse> {
    Ok(one(visible_pack(&state, &caller, &reference).await?.into()))
}

/// Change a pack's metadata
#[utoipa::path(put, path = "/packs/{ref}", tag = "packs", params(("ref" = String, Path)),
    request_body = UpdatePackRequest,
    responses((status = 200, body = Single<PackResponse>), Refusals))]
async fn update_pack(
    State(state): State<ApiState>,
    caller: Bearer,
    Path(reference): Path<String>,
    JsonBody(request): JsonBody<UpdatePackRequest>,
) -> One<PackResponse> {
    let pack = visible_pack(&state, &caller, &reference).await?;
    decide_pack(&caller, Verb::Update, &reference)
        .or_else(|_| decide_pack(&caller, Verb::Configure, &reference))?;
    not_shared(pack.tenant, Resource::Packs, Verb::Configure)?;
    let now = state.clock.now();
    let changed = state.store.update_pack(caller.scope(), &reference, request.into(), now).await?;
    Ok(one(changed.ok_or_else(|| not_found(&reference))?.into()))
}

/// Delete a pack with its components
#[utoipa::path(delete, path = "/packs/{ref}", tag = "packs", params(("ref" = String, Path)),
    responses((status = 200, body = Success), Refusals))]
async fn delete_pack(
    State(state): State<ApiState>,
    caller: Bearer,
    Path(reference): Path<String>,
) -> Result<Json<Success>, Problem> {
    let pack = visible_pack(&state, &caller, &reference).await?;
    decide_pack(&caller, Verb::Delete, &reference)?;
    not_shared(pack.tenant, Resource::Packs, Verb::Delete)?;
    if !state.catalog.delete(caller.scope(), &reference).await? {
        return Err(not_found(&reference));
    }
    Ok(Json(Success::new(format!("Pack '{reference}' deleted successfully"))))
}

fn not_found(reference: &str) -> Problem {
    Problem::not_found(format!("Pack '{reference}' not found"))
}
