//! Actions.

use attune_domain::access::{Resource, Target, Verb, decide};
use attune_domain::action::Action;
use attune_domain::page::{Listing, Page};
use attune_domain::store::{ActionFilter, StoreError};
use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use serde::Deserialize;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use super::packs::PageParams;
use super::{Many, One, Refusals, one};
use crate::access::{
    check_delegation, decide_action, not_shared, visible_action, visible_pack, visible_packs,
};
use crate::auth::Bearer;
use crate::envelope::{List, Single, Success};
use crate::input::query::{optional, search_text};
use crate::input::{JsonBody, Path, QueryString};
use crate::models::action::request::{CreateActionRequest, UpdateActionRequest};
use crate::models::action::{ActionResponse, ActionSearchHit, ActionSummary};
use crate::paging::Family;
use crate::problem::Problem;
use crate::state::ApiState;

pub(super) fn routes() -> OpenApiRouter<ApiState> {
    OpenApiRouter::new()
        .routes(routes!(list_actions, create_action))
        .routes(routes!(search_actions))
        .routes(routes!(list_actions_of_pack))
        .routes(routes!(get_action, update_action, delete_action))
}

#[derive(Deserialize, utoipa::IntoParams)]
#[into_params(parameter_in = Query)]
struct ActionListParams {
    #[serde(default, deserialize_with = "optional")]
    page: Option<i64>,
    /// 50 unless given, at most 100.
    #[serde(default, deserialize_with = "optional")]
    page_size: Option<i64>,
    /// Only what the caller may execute.
    #[serde(default, deserialize_with = "optional")]
    executable_with_current_access: Option<bool>,
}

/// List actions of packs the caller may see
#[utoipa::path(get, path = "/actions", tag = "actions", params(ActionListParams),
    responses((status = 200, body = List<ActionSummary>), Refusals))]
async fn list_actions(
    State(state): State<ApiState>,
    caller: Bearer,
    QueryString(asked): QueryString<ActionListParams>,
) -> Many<ActionSummary> {
    let page = Family::BY_REF.page(asked.page, asked.page_size, true);
    let filter = visible(&caller);
    let listing = if asked.executable_with_current_access == Some(true) {
        executable(&state, &caller, &filter, page).await?
    } else {
        state.store.actions(caller.scope(), &filter, page).await?
    };
    Ok(Json(List::of(page, listing, ActionSummary::from)))
}

#[derive(Deserialize, utoipa::IntoParams)]
#[into_params(parameter_in = Query)]
struct ActionSearchParams {
    #[serde(default, deserialize_with = "optional")]
    page: Option<i64>,
    #[serde(default, deserialize_with = "optional")]
    page_size: Option<i64>,
    /// Text in the ref, label or description.
    #[serde(default, deserialize_with = "search_text")]
    #[param(max_length = 1000)]
    q: Option<String>,
    /// Refs of packs, separated by commas.
    packs: Option<String>,
}

/// Search actions
#[utoipa::path(get, path = "/actions/search", tag = "actions", params(ActionSearchParams),
    responses((status = 200, body = List<ActionSearchHit>), Refusals))]
async fn search_actions(
    State(state): State<ApiState>,
    caller: Bearer,
    QueryString(asked): QueryString<ActionSearchParams>,
) -> Many<ActionSearchHit> {
    let page = Family::BY_REF.page(asked.page, asked.page_size, true);
    let packs = asked.packs.iter().flat_map(|packs| packs.split(',')).map(str::trim);
    let filter = ActionFilter {
        text: asked.q,
        pack_refs: packs.filter(|one| !one.is_empty()).map(str::to_owned).collect(),
        ..visible(&caller)
    };
    let listing = state.store.actions(caller.scope(), &filter, page).await?;
    Ok(Json(List::of(page, listing, ActionSearchHit::from)))
}

/// List the actions of a pack
#[utoipa::path(get, path = "/packs/{ref}/actions", tag = "actions",
    params(("ref" = String, Path), PageParams),
    responses((status = 200, body = List<ActionSummary>), Refusals))]
async fn list_actions_of_pack(
    State(state): State<ApiState>,
    caller: Bearer,
    Path(reference): Path<String>,
    QueryString(asked): QueryString<PageParams>,
) -> Many<ActionSummary> {
    let pack = visible_pack(&state, &caller, &reference).await?;
    let page = Family::BY_REF.page(asked.page, asked.page_size, true);
    let filter = ActionFilter { pack_ref: Some(pack.reference), ..visible(&caller) };
    let listing = state.store.actions(caller.scope(), &filter, page).await?;
    Ok(Json(List::of(page, listing, ActionSummary::from)))
}

/// Create an action in a pack
#[utoipa::path(post, path = "/actions", tag = "actions", request_body = CreateActionRequest,
    responses((status = 201, body = Single<ActionResponse>), Refusals))]
async fn create_action(
    State(state): State<ApiState>,
    caller: Bearer,
    JsonBody(request): JsonBody<CreateActionRequest>,
) -> Result<(StatusCode, Json<Single<ActionResponse>>), Problem> {
    decide_action(&caller, Verb::Create, &request.reference, &request.pack_ref)?;
    let pack = visible_pack(&state, &caller, &request.pack_ref).await?;
    not_shared(pack.tenant, Resource::Actions, Verb::Create)?;
    check_delegation(&state, &caller, &request.default_execution_permission_set_refs).await?;
    let taken = format!("Action '{}' already exists", request.reference);
    let now = state.clock.now();
    match state.store.create_action(caller.scope(), &pack, request.into(), now).await {
        Ok(action) => Ok((StatusCode::CREATED, one(action.into()))),
        Err(StoreError::Duplicate(_)) => Err(Problem::conflict(taken)),
        Err(error) => Err(error.into()),
    }
}

/// Get an action
#[utoipa::path(get, path = "/actions/{ref}", tag = "actions", params(("ref" = String, Path)),
    responses((status = 200, body = Single<ActionResponse>), Refusals))]
async fn get_action(
    State(state): State<ApiState>,
    caller: Bearer,
    Path(reference): Path<String>,
) -> One<ActionResponse> {
    Ok(one(visible_action(&state, &caller, &reference).await?.action.into()))
}

/// Change an action
#[utoipa::path(put, path = "/actions/{ref}", tag = "actions", params(("ref" = String, Path)),
    request_body = UpdateActionRequest,
    responses((status = 200, body = Single<ActionResponse>), Refusals))]
async fn update_action(
    State(state): State<ApiState>,
    caller: Bearer,
    Path(reference): Path<String>,
    JsonBody(request): JsonBody<UpdateActionRequest>,
) -> One<ActionResponse> {
    own_action(&state, &caller, Verb::Update, &reference).await?;
    let delegated = request.default_execution_permission_set_refs.as_deref().unwrap_or_default();
    check_delegation(&state, &caller, delegated).await?;
    let (scope, now) = (caller.scope(), state.clock.now());
    let changed = state.store.update_action(scope, &reference, request.into(), now).await?;
    Ok(one(changed.ok_or_else(|| not_found(&reference))?.into()))
}

/// Delete an action
#[utoipa::path(delete, path = "/actions/{ref}", tag = "actions", params(("ref" = String, Path)),
    responses((status = 200, body = Success), Refusals))]
async fn delete_action(
    State(state): State<ApiState>,
    caller: Bearer,
    Path(reference): Path<String>,
) -> Result<Json<Success>, Problem> {
    own_action(&state, &caller, Verb::Delete, &reference).await?;
    if !state.store.delete_action(caller.scope(), &reference).await? {
        return Err(not_found(&reference));
    }
    Ok(Json(Success::new(format!("Action '{reference}' deleted successfully"))))
}

fn visible(caller: &Bearer) -> ActionFilter {
    ActionFilter { visible_packs: visible_packs(caller), ..ActionFilter::default() }
}

/// An action that the caller may see and do `verb` to.
async fn own_action(
    state: &ApiState,
    caller: &Bearer,
    verb: Verb,
    reference: &str,
) -> Result<(), Problem> {
    let action = visible_action(state, caller, reference).await?.action;
    decide_action(caller, verb, reference, &action.pack_ref)?;
    Ok(not_shared(action.tenant, Resource::Actions, verb)?)
}

/// Constraints of grants are not for the store to judge: a caller who has any on
/// `actions:execute` costs a walk over all actions.
async fn executable(
    state: &ApiState,
    caller: &Bearer,
    filter: &ActionFilter,
    page: Page,
) -> Result<Listing<Action>, Problem> {
    if decide(caller, Resource::Actions, Verb::Execute, Target::default()).is_ok() {
        return Ok(state.store.actions(caller.scope(), filter, page).await?);
    }
    let (mut found, mut next) = (Vec::new(), Page { number: 1, size: 100, count: false });
    loop {
        let part = state.store.actions(caller.scope(), filter, next).await?;
        found.extend(part.items.into_iter().filter(|action| {
            decide_action(caller, Verb::Execute, &action.reference, &action.pack_ref).is_ok()
        }));
        if !part.has_next {
            break;
        }
        next.number += 1;
    }
    Ok(cut(found, page))
}

fn cut(rows: Vec<Action>, page: Page) -> Listing<Action> {
    let total = rows.len();
    let before = usize::try_from(page.offset()).unwrap_or(usize::MAX);
    let size = usize::try_from(page.size).unwrap_or(usize::MAX);
    let items: Vec<Action> = rows.into_iter().skip(before).take(size).collect();
    let has_next = before.saturating_add(size) < total;
    Listing { items, total: u64::try_from(total).ok(), has_next }
}

fn not_found(reference: &str) -> Problem {
    Problem::not_found(format!("Action '{reference}' not found"))
}
