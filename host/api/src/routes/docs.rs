//! The API document, and a page that shows it without fetching anything else.

use axum::Router;
use axum::http::HeaderValue;
use axum::http::header::{CONTENT_SECURITY_POLICY, CONTENT_TYPE};
use axum::response::Html;
use axum::routing::get;
use bytes::Bytes;
use utoipa::openapi::OpenApi;

use crate::state::ApiState;

/// The page holds its script and style, and may talk to this server only.
const POLICY: &str = "default-src 'none'; script-src 'unsafe-inline'; style-src 'unsafe-inline'; \
    connect-src 'self'";

/// Serves the document as it is when the server starts.
pub(crate) fn router(document: &OpenApi) -> Router<ApiState> {
    // A value made by this program from string keys: it always has a JSON form.
    let json = Bytes::from(serde_json::to_vec(document).unwrap_or_default());
    let json_type = HeaderValue::from_static("application/json");
    let document = async move || ([(CONTENT_TYPE, json_type)], json);
    let policy = HeaderValue::from_static(POLICY);
    let page = async move || ([(CONTENT_SECURITY_POLICY, policy)], Html(include_str!("docs.html")));
    Router::new()
        .route("/api-spec/openapi.json", get(document))
        .route("/docs", get(page.clone()))
        .route("/docs/", get(page))
}
