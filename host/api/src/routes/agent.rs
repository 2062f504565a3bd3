//! Agent binaries: this server ships none.

use axum::Json;
use axum::http::StatusCode;
use serde::Serialize;
use utoipa::ToSchema;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use crate::state::ApiState;

pub(super) fn routes() -> OpenApiRouter<ApiState> {
    OpenApiRouter::new().routes(routes!(info)).routes(routes!(binary))
}

#[derive(Serialize, ToSchema)]
struct NotConfigured {
    error: &'static str,
    message: &'static str,
}

/// Which agent binaries there are
#[utoipa::path(get, path = "/agent/info", tag = "agent", security(()),
    responses((status = 503, body = NotConfigured)))]
async fn info() -> (StatusCode, Json<NotConfigured>) {
    not_configured()
}

/// An agent binary
#[utoipa::path(get, path = "/agent/binary", tag = "agent", security(()),
    responses((status = 503, body = NotConfigured)))]
async fn binary() -> (StatusCode, Json<NotConfigured>) {
    not_configured()
}

fn not_configured() -> (StatusCode, Json<NotConfigured>) {
    let message = "This server ships no agent binaries";
    (StatusCode::SERVICE_UNAVAILABLE, Json(NotConfigured { error: "Not configured", message }))
}
