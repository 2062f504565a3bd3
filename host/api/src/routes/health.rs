//! Whether the server lives and can work. No authentication, no envelope.

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

/// Whether requests can be served
#[utoipa::path(get, path = "/health/ready", tag = "health", security(()),
    responses((status = 200, description = "ready"), (status = 503, description = "not ready")))]
async fn ready(State(state): State<ApiState>) -> StatusCode {
    if database_answers(&state).await { StatusCode::OK } else { StatusCode::SERVICE_UNAVAILABLE }
}

/// Whether the process answers
#[utoipa::path(get, path = "/health/live", tag = "health", security(()),
    responses((status = 200, description = "alive")))]
async fn live() -> StatusCode {
    StatusCode::OK
}

async fn database_answers(state: &ApiState) -> bool {
    match state.store.ping().await {
        Ok(()) => true,
        Err(error) => {
            warn!(cause = chain(&error), "the database does not answer");
            false
        }
    }
}
