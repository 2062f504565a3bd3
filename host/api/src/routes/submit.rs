//! Asking for an execution.

use attune_domain::access::Verb;
use attune_domain::execution::{Execution, Idempotency};
use attune_orchestrator::ExecutionRequest;
use axum::Json;
use axum::extract::State;
use axum::http::{HeaderMap, StatusCode};
use sha2::{Digest, Sha256};
use tracing::warn;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use super::Refusals;
use crate::access::{check_delegation, decide_action, visible_action};
use crate::auth::Bearer;
use crate::envelope::Double;
use crate::input::RawJson;
use crate::middleware::note_execution;
use crate::models::execution::{CreateExecutionRequest, ExecutionResponse};
use crate::problem::{Problem, chain};
use crate::state::ApiState;
use crate::waiting::{Applied, Wait};

pub(super) fn routes() -> OpenApiRouter<ApiState> {
    OpenApiRouter::new().routes(routes!(execute))
}

type Created = (StatusCode, Applied, Json<Double<ExecutionResponse>>);

/// Execute an action
#[utoipa::path(post, path = "/executions/execute", tag = "executions",
    request_body = CreateExecutionRequest,
    params(
        ("Idempotency-Key" = Option<String>, Header,
            description = "A repeated request returns the first one's execution for 24 hours"),
        ("Prefer" = Option<String>, Header,
            description = "`wait=<seconds>`: answer when the execution has ended"),
    ),
    responses((status = 201, body = Double<ExecutionResponse>), Refusals))]
async fn execute(
    State(state): State<ApiState>,
    caller: Bearer,
    headers: HeaderMap,
    body: RawJson,
) -> Result<Created, Problem> {
    let mut request: CreateExecutionRequest = body.parse()?;
    let idempotency = idempotency(&headers, &body)?;
    let runnable = visible_action(&state, &caller, &request.action_ref).await?;
    let action = &runnable.action;
    decide_action(&caller, Verb::Execute, &action.reference, &action.pack_ref)?;
    check_delegation(&state, &caller, request.permission_set_refs.as_deref().unwrap_or_default())
        .await?;
    let request = ExecutionRequest {
        runnable,
        env_vars: request.environment()?,
        extra: request.take_extra(),
        config: request.parameters,
        permission_set_refs: request.permission_set_refs,
        idempotency,
    };
    let execution = state.orchestrator.submit(&caller, request).await?;
    note_execution(execution.id);
    let wait = Wait::preferred(&headers, state.settings.max_wait);
    let execution = ended(&state, &caller, wait, execution).await;
    Ok((StatusCode::CREATED, Applied(wait), Json(Double(ExecutionResponse::redacted(execution)))))
}

/// The execution at its end, if the caller waits for it. It exists by now: whatever goes
/// wrong with the waiting, the caller is told of it.
async fn ended(
    state: &ApiState,
    caller: &Bearer,
    wait: Option<Wait>,
    created: Execution,
) -> Execution {
    let Some(wait) = wait else { return created };
    match wait.for_end(state, caller.scope(), created.id).await {
        Ok(later) => later.unwrap_or(created),
        Err(error) => {
            warn!(cause = chain(&error), "an execution could not be waited for");
            created
        }
    }
}

fn idempotency(headers: &HeaderMap, body: &RawJson) -> Result<Option<Idempotency>, Problem> {
    let Some(value) = headers.get("idempotency-key") else { return Ok(None) };
    let key = value.to_str().unwrap_or_default();
    if !(1..=255).contains(&key.len()) {
        return Err(Problem::bad_request("Idempotency-Key must have 1 to 255 ASCII characters"));
    }
    let request_digest = hex::encode(Sha256::digest(&body.0));
    Ok(Some(Idempotency { key: key.to_owned(), request_digest }))
}
