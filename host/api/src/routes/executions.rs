//! Executions: reading and cancelling them. Asking for one is in [`super::submit`].

use attune_domain::access::Verb;
use attune_domain::execution::{ExecutionFilter, ExecutionStatus};
use attune_domain::id::{ExecutionId, IdentityId};
use axum::Json;
use axum::extract::State;
use axum::http::HeaderMap;
use serde::Deserialize;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use super::{Many, One, Refusals, one};
use crate::access::decide_execution;
use crate::auth::Bearer;
use crate::envelope::{List, Single};
use crate::input::query::{optional, search_text};
use crate::input::{Path, QueryString};
use crate::middleware::note_execution;
use crate::models::execution::{ExecutionResponse, ExecutionStats, ExecutionSummary};
use crate::paging::Family;
use crate::problem::Problem;
use crate::state::ApiState;
use crate::waiting::{Applied, Wait};

pub(super) fn routes() -> OpenApiRouter<ApiState> {
    OpenApiRouter::new()
        .routes(routes!(list_executions))
        .routes(routes!(execution_stats))
        .routes(routes!(list_executions_by_status))
        .routes(routes!(get_execution))
        .routes(routes!(cancel_execution))
}

#[derive(Deserialize, utoipa::IntoParams)]
#[into_params(parameter_in = Query)]
struct ExecutionQueryParams {
    #[serde(default, deserialize_with = "optional")]
    #[param(value_type = Option<String>)]
    status: Option<ExecutionStatus>,
    #[serde(default, deserialize_with = "optional")]
    action_ref: Option<String>,
    #[serde(default, deserialize_with = "optional")]
    pack_name: Option<String>,
    #[serde(default, deserialize_with = "optional")]
    rule_ref: Option<String>,
    #[serde(default, deserialize_with = "optional")]
    trigger_ref: Option<String>,
    #[serde(default, deserialize_with = "optional")]
    executor: Option<i64>,
    #[serde(default, deserialize_with = "search_text")]
    #[param(max_length = 1000)]
    result_contains: Option<String>,
    #[serde(default, deserialize_with = "optional")]
    enforcement: Option<i64>,
    #[serde(default, deserialize_with = "optional")]
    parent: Option<i64>,
    #[serde(default, deserialize_with = "optional")]
    top_level_only: Option<bool>,
    #[serde(default, deserialize_with = "optional")]
    include_total: Option<bool>,
    #[serde(default, deserialize_with = "optional")]
    page: Option<i64>,
    /// 20 unless given, at most 100.
    #[serde(default, deserialize_with = "optional")]
    per_page: Option<i64>,
}

impl ExecutionQueryParams {
    /// Nothing but a direct request makes executions yet, so none has a rule behind it.
    fn matches_none(&self) -> bool {
        self.rule_ref.is_some() || self.trigger_ref.is_some() || self.enforcement.is_some()
    }

    fn into_filter(self) -> ExecutionFilter {
        ExecutionFilter {
            status: self.status,
            action_ref: self.action_ref,
            pack_ref: self.pack_name,
            executor: self.executor.map(IdentityId),
            parent: self.parent.map(ExecutionId),
            result_contains: self.result_contains,
            top_level_only: self.top_level_only == Some(true),
        }
    }
}

/// List executions, newest first
#[utoipa::path(get, path = "/executions", tag = "executions", params(ExecutionQueryParams),
    responses((status = 200, body = List<ExecutionSummary>), Refusals))]
async fn list_executions(
    State(state): State<ApiState>,
    caller: Bearer,
    QueryString(asked): QueryString<ExecutionQueryParams>,
) -> Many<ExecutionSummary> {
    let count = asked.include_total == Some(true);
    let page = Family::EXECUTIONS.page(asked.page, asked.per_page, count);
    if asked.matches_none() {
        return Ok(Json(List::empty(page)));
    }
    let listing = state.store.executions(caller.scope(), &asked.into_filter(), page).await?;
    Ok(Json(List::of(page, listing, ExecutionSummary::from)))
}

#[derive(Deserialize, utoipa::IntoParams)]
#[into_params(parameter_in = Query)]
struct StatusListParams {
    #[serde(default, deserialize_with = "optional")]
    page: Option<i64>,
    /// 50 unless given, at most 100.
    #[serde(default, deserialize_with = "optional")]
    page_size: Option<i64>,
    #[serde(default, deserialize_with = "optional")]
    include_total: Option<bool>,
}

/// List executions of one status, newest first
#[utoipa::path(get, path = "/executions/status/{status}", tag = "executions",
    params(("status" = String, Path), StatusListParams),
    responses((status = 200, body = List<ExecutionSummary>), Refusals))]
async fn list_executions_by_status(
    State(state): State<ApiState>,
    caller: Bearer,
    Path(status): Path<String>,
    QueryString(asked): QueryString<StatusListParams>,
) -> Many<ExecutionSummary> {
    let status = status.parse::<ExecutionStatus>();
    let status = status.map_err(|error| Problem::bad_request(error.to_string()))?;
    let page = Family::BY_REF.page(asked.page, asked.page_size, asked.include_total == Some(true));
    let filter = ExecutionFilter { status: Some(status), ..ExecutionFilter::default() };
    let listing = state.store.executions(caller.scope(), &filter, page).await?;
    Ok(Json(List::of(page, listing, ExecutionSummary::from)))
}

/// Count executions by status
#[utoipa::path(get, path = "/executions/stats", tag = "executions",
    responses((status = 200, body = Single<ExecutionStats>), Refusals))]
async fn execution_stats(State(state): State<ApiState>, caller: Bearer) -> One<ExecutionStats> {
    Ok(one(state.store.execution_stats(caller.scope()).await?.into()))
}

#[derive(Deserialize, utoipa::IntoParams)]
#[into_params(parameter_in = Query)]
struct ExecutionDetailParams {
    /// Show secret parameters; needs `executions:decrypt`.
    #[serde(default, deserialize_with = "optional")]
    include_secret_values: Option<bool>,
}

/// Get an execution
#[utoipa::path(get, path = "/executions/{id}", tag = "executions",
    params(("id" = i64, Path), ExecutionDetailParams, ("Prefer" = Option<String>, Header,
        description = "`wait=<seconds>`: answer when the execution has ended")),
    responses((status = 200, body = Single<ExecutionResponse>), Refusals))]
async fn get_execution(
    State(state): State<ApiState>,
    caller: Bearer,
    Path(id): Path<i64>,
    QueryString(asked): QueryString<ExecutionDetailParams>,
    headers: HeaderMap,
) -> Result<(Applied, Json<Single<ExecutionResponse>>), Problem> {
    let id = ExecutionId(id);
    note_execution(id);
    let wait = Wait::preferred(&headers, state.settings.max_wait);
    let found = match wait {
        Some(wait) => wait.for_end(&state, caller.scope(), id).await?,
        None => state.store.execution(caller.scope(), id).await?,
    };
    let execution = found.ok_or_else(not_found)?;
    let reveals = asked.include_secret_values == Some(true)
        && execution.redacted_config.is_some()
        && decide_execution(&state, &caller, Verb::Decrypt, &execution).await?.is_ok();
    let response = if reveals {
        ExecutionResponse::revealed(execution)
    } else {
        ExecutionResponse::redacted(execution)
    };
    Ok((Applied(wait), one(response)))
}

/// Cancel an execution
#[utoipa::path(post, path = "/executions/{id}/cancel", tag = "executions",
    params(("id" = i64, Path)),
    responses((status = 200, body = Single<ExecutionResponse>), Refusals))]
async fn cancel_execution(
    State(state): State<ApiState>,
    caller: Bearer,
    Path(id): Path<i64>,
) -> One<ExecutionResponse> {
    let id = ExecutionId(id);
    note_execution(id);
    let execution = state.store.execution(caller.scope(), id).await?.ok_or_else(not_found)?;
    // Whoever started something may stop it; for the rest it takes the grant.
    if execution.executor != Some(caller.identity()) {
        decide_execution(&state, &caller, Verb::Cancel, &execution).await??;
    }
    let execution = state.orchestrator.cancel(caller.scope(), id).await?;
    Ok(one(ExecutionResponse::redacted(execution)))
}

pub(super) fn not_found() -> Problem {
    Problem::not_found("Execution not found")
}
