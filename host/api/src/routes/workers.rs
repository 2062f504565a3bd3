//! Workers: the servers that run executions, and keeping work away from them.

use attune_domain::access::{Resource, Target, Verb, decide};
use attune_domain::id::WorkerId;
use attune_domain::page::Listing;
use attune_domain::store::StoreResult;
use attune_domain::worker::{Cordon, Health, Worker};
use axum::Json;
use axum::extract::State;
use serde::Deserialize;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use super::{Many, Refusals};
use crate::auth::Bearer;
use crate::envelope::List;
use crate::input::query::optional;
use crate::input::{JsonBody, Path, QueryString};
use crate::models::worker::{CordonWorkerRequest, WorkerSummary, status};
use crate::paging::Family;
use crate::problem::Problem;
use crate::state::ApiState;

pub(super) fn routes() -> OpenApiRouter<ApiState> {
    OpenApiRouter::new()
        .routes(routes!(list_workers))
        .routes(routes!(get_worker))
        .routes(routes!(cordon_worker))
        .routes(routes!(uncordon_worker))
}

#[derive(Deserialize, utoipa::IntoParams)]
#[into_params(parameter_in = Query)]
struct WorkerQueryParams {
    #[serde(default, deserialize_with = "optional")]
    page: Option<i64>,
    /// 50 unless given, at most 100.
    #[serde(default, deserialize_with = "optional")]
    page_size: Option<i64>,
    /// `action`, or `sensor`, of which there are none yet.
    #[serde(default, deserialize_with = "optional")]
    role: Option<String>,
    #[serde(default, deserialize_with = "optional")]
    status: Option<String>,
    #[serde(default, deserialize_with = "optional")]
    cordoned: Option<bool>,
    #[serde(default, deserialize_with = "optional")]
    #[param(value_type = Option<String>)]
    health_state: Option<Health>,
}

/// List workers
#[utoipa::path(get, path = "/workers", tag = "workers", params(WorkerQueryParams),
    responses((status = 200, body = List<WorkerSummary>), Refusals))]
async fn list_workers(
    State(state): State<ApiState>,
    caller: Bearer,
    QueryString(asked): QueryString<WorkerQueryParams>,
) -> Many<WorkerSummary> {
    decide(&caller, Resource::Workers, Verb::Read, Target::default())?;
    let now = state.clock.now();
    let mut workers = state.store.workers().await?;
    workers.retain(|worker| {
        asked.role.as_deref().is_none_or(|role| role == "action")
            && asked.status.as_deref().is_none_or(|wanted| wanted == status(worker))
            && asked.cordoned.is_none_or(|cordoned| cordoned == worker.cordon.is_some())
            && asked.health_state.is_none_or(|health| health == worker.health(now))
    });
    // There are as many as there are machines: they need no paging in the database.
    let page = Family::BY_REF.page(asked.page, asked.page_size, true);
    let total = workers.len();
    let before = (page.number as usize - 1).saturating_mul(page.size as usize);
    let items: Vec<_> = workers.into_iter().skip(before).take(page.size as usize).collect();
    let has_next = before.saturating_add(items.len()) < total;
    let listing = Listing { items, total: Some(total as u64), has_next };
    let depth = queue_depth(&state).await?;
    Ok(Json(List::of(page, listing, |worker| WorkerSummary::new(worker, depth, now))))
}

/// Get a worker
#[utoipa::path(get, path = "/workers/{id}", tag = "workers", params(("id" = i64, Path)),
    responses((status = 200, body = WorkerSummary), Refusals))]
async fn get_worker(
    State(state): State<ApiState>,
    caller: Bearer,
    Path(id): Path<i64>,
) -> Result<Json<WorkerSummary>, Problem> {
    decide(&caller, Resource::Workers, Verb::Read, Target::default())?;
    let worker = state.store.worker(WorkerId(id)).await?;
    shown(&state, worker).await
}

/// Keep new work away from a worker; what it runs goes on
#[utoipa::path(post, path = "/workers/{id}/cordon", tag = "workers", params(("id" = i64, Path)),
    request_body = CordonWorkerRequest,
    responses((status = 200, body = WorkerSummary), Refusals))]
async fn cordon_worker(
    State(state): State<ApiState>,
    caller: Bearer,
    Path(id): Path<i64>,
    JsonBody(request): JsonBody<CordonWorkerRequest>,
) -> Result<Json<WorkerSummary>, Problem> {
    let now = state.clock.now();
    let cordon = Cordon { reason: request.reason, by: Some(caller.identity()), at: now };
    set_cordon(&state, &caller, id, Some(cordon)).await
}

/// Let a worker have new work again
#[utoipa::path(post, path = "/workers/{id}/uncordon", tag = "workers", params(("id" = i64, Path)),
    responses((status = 200, body = WorkerSummary), Refusals))]
async fn uncordon_worker(
    State(state): State<ApiState>,
    caller: Bearer,
    Path(id): Path<i64>,
) -> Result<Json<WorkerSummary>, Problem> {
    set_cordon(&state, &caller, id, None).await
}

async fn set_cordon(
    state: &ApiState,
    caller: &Bearer,
    id: i64,
    cordon: Option<Cordon>,
) -> Result<Json<WorkerSummary>, Problem> {
    decide(caller, Resource::Workers, Verb::Manage, Target::default())?;
    let worker = state.store.set_cordon(WorkerId(id), cordon, state.clock.now()).await?;
    state.orchestrator.cordon_changed();
    shown(state, worker).await
}

async fn shown(state: &ApiState, worker: Option<Worker>) -> Result<Json<WorkerSummary>, Problem> {
    let worker = worker.ok_or_else(|| Problem::not_found("no such worker"))?;
    Ok(Json(WorkerSummary::new(worker, queue_depth(state).await?, state.clock.now())))
}

/// How much waits for any worker.
async fn queue_depth(state: &ApiState) -> StoreResult<u32> {
    Ok(state.store.waiting().await?.iter().map(|waiting| waiting.depth).sum())
}
