//! What was measured, for Prometheus.

use attune_domain::access::{Resource, Target, Verb, decide};
use axum::Router;
use axum::extract::State;
use axum::http::HeaderName;
use axum::http::header::CONTENT_TYPE;
use axum::routing::get;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use super::Refusals;
use crate::auth::Bearer;
use crate::problem::Problem;
use crate::state::ApiState;

/// For callers who may read workers.
pub(super) fn routes() -> OpenApiRouter<ApiState> {
    OpenApiRouter::new().routes(routes!(guarded))
}

/// For whoever comes.
pub(super) fn open() -> Router<ApiState> {
    Router::new().route("/metrics", get(open_to_all))
}

/// The text format of Prometheus, with its version.
type Text = ([(HeaderName, &'static str); 1], String);

/// Metrics in the text format of Prometheus
#[utoipa::path(get, path = "/metrics", tag = "health",
    responses((status = 200, body = String, content_type = "text/plain"), Refusals))]
async fn guarded(State(state): State<ApiState>, caller: Bearer) -> Result<Text, Problem> {
    decide(&caller, Resource::Workers, Verb::Read, Target::default())?;
    Ok(text(&state).await)
}

async fn open_to_all(State(state): State<ApiState>) -> Text {
    text(&state).await
}

async fn text(state: &ApiState) -> Text {
    ([(CONTENT_TYPE, "text/plain; version=0.0.4; charset=utf-8")], (state.exposition)().await)
}
