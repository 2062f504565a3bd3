//! Whether the server lives and can work. No authentication, no envelope.

use std::time::Duration;

use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use serde::Serialize;
use tracing::warn;
use utoipa::ToSchema;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use crate::problem::chain;
use crate::state::ApiState;

/// A database that takes longer to answer answers no requests either, and probes do not wait for
/// long.
const PATIENCE: Duration = Duration::from_secs(2);

pub(super) fn routes() -> OpenApiRouter<ApiState> {
    OpenApiRouter::new()
        .routes(routes!(health))
        .routes(routes!(detailed))
        .routes(routes!(ready))
        .routes(routes!(live))
}

#[derive(Serialize, ToSchema)]
struct Health {
    status: &'static str,
}

#[derive(Serialize, ToSchema)]
struct DetailedHealth {
    status: &'static str,
    database: &'static str,
    version: String,
}

/// Health
#[utoipa::path(get, path = "/health", tag = "health", security(()), responses((status = 200, body = Health)))]
async fn health() -> Json<Health> {
    Json(Health { status: "ok" })
}

/// Health with the state of the database
#[utoipa::path(get, path = "/health/detailed", tag = "health", security(()),
    responses((status = 200, body = DetailedHealth), (status = 503, body = DetailedHealth)))]
async fn detailed(State(state): State<ApiState>) -> (StatusCode, Json<DetailedHealth>) {
    let version = state.settings.version.clone();
    let (code, status, database) = if database_answers(&state).await {
        (StatusCode::OK, "ok", "connected")
    } else {
        (StatusCode::SERVICE_UNAVAILABLE, "error", "disconnected")
    };
    (code, Json(DetailedHealth { status, database, version }))
}

/// Whether the server can do its work: serve requests and, with the role `runner`, run
#[utoipa::path(get, path = "/health/ready", tag = "health", security(()),
    responses((status = 200, description = "ready"),
        (status = 503, description = "not ready, and why: a line for each reason", body = String)))]
async fn ready(State(state): State<ApiState>) -> Result<StatusCode, (StatusCode, String)> {
    let hindrances = state.orchestrator.hindrances();
    let mut reasons: Vec<_> = hindrances.iter().map(ToString::to_string).collect();
    if !database_answers(&state).await {
        reasons.push("the database does not answer".to_owned());
    }
    match reasons.as_slice() {
        [] => Ok(StatusCode::OK),
        _ => Err((StatusCode::SERVICE_UNAVAILABLE, reasons.join("\n") + "\n")),
    }
}

/// Whether the process answers
#[utoipa::path(get, path = "/health/live", tag = "health", security(()),
    responses((status = 200, description = "alive")))]
async fn live() -> StatusCode {
    StatusCode::OK
}

async fn database_answers(state: &ApiState) -> bool {
    let answered = tokio::select! {
        answered = state.store.ping() => answered.map_err(|error| chain(&error)),
        () = state.clock.sleep(PATIENCE) => Err(format!("nothing within {PATIENCE:?}")),
    };
    if let Err(cause) = &answered {
        warn!(cause, "the database does not answer");
    }
    answered.is_ok()
}
