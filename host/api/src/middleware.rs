//! Around every request: its id, the span of its log lines, its time, and panics.

use std::any::Any;
use std::panic::AssertUnwindSafe;
use std::time::Instant;

use axum::extract::Request;
use axum::http::{HeaderMap, HeaderName, HeaderValue};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use futures::FutureExt;
use tracing::{Instrument, Span, debug, error, field, info_span};
use uuid::Uuid;

use crate::measure;
use crate::problem::Problem;

const REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");

/// Runs a request in its span. The span names the matched path and never the
/// query string or a header: those may hold secrets.
pub(crate) async fn around(request: Request, next: Next) -> Response {
    let id = request_id(request.headers());
    let path = measure::route(request.extensions());
    let span = info_span!("request", %id, method = %request.method(), path,
        execution = field::Empty, identity = field::Empty);
    let mut response = answered(request, path, next).instrument(span).await;
    if let Ok(value) = HeaderValue::from_str(&id.to_string()) {
        response.headers_mut().insert(REQUEST_ID, value);
    }
    response
}

/// Ties the log lines of the present request to an execution.
pub(crate) fn note_execution(id: attune_domain::id::ExecutionId) {
    Span::current().record("execution", id.0);
}

async fn answered(request: Request, route: String, next: Next) -> Response {
    let (started, method) = (Instant::now(), request.method().clone());
    let result = AssertUnwindSafe(next.run(request)).catch_unwind().await;
    let response = result.unwrap_or_else(|panic| {
        error!(panic = panic_text(panic.as_ref()), "a handler panicked");
        Problem::internal().into_response()
    });
    let took = started.elapsed();
    measure::request(&method, route, response.status(), took);
    let micros = u64::try_from(took.as_micros()).unwrap_or(u64::MAX);
    debug!(status = response.status().as_u16(), micros, "answered");
    response
}

/// The caller's own id if it is a UUID, so that it can be stored and searched for.
fn request_id(headers: &HeaderMap) -> Uuid {
    let given = headers.get(REQUEST_ID).and_then(|value| value.to_str().ok());
    given.and_then(|text| Uuid::parse_str(text).ok()).unwrap_or_else(Uuid::new_v4)
}

fn panic_text(panic: &(dyn Any + Send)) -> &str {
    let text = panic.downcast_ref::<String>().map(String::as_str);
    text.or_else(|| panic.downcast_ref::<&'static str>().copied()).unwrap_or("no message")
}

#[cfg(test)]
mod tests {
    use axum::Router;
    use axum::body::{Body, to_bytes};
    use axum::http::StatusCode;
    use axum::routing::get;
    use tower::ServiceExt;

    use super::*;

    fn app() -> Router {
        Router::new()
            .route("/fine", get(async || "fine"))
            .route("/panic", get(async || -> &'static str { panic!("secret details") }))
            .fallback(async || Problem::not_found("no such path"))
            .method_not_allowed_fallback(async || Problem::method_not_allowed())
            .layer(axum::middleware::from_fn(around))
    }

    async fn call(method: &str, path: &str, id: Option<&str>) -> (StatusCode, HeaderMap, String) {
        let mut request = Request::builder().method(method).uri(path);
        if let Some(id) = id {
            request = request.header(REQUEST_ID, id);
        }
        let response = app().oneshot(request.body(Body::empty()).unwrap()).await.unwrap();
        let (status, headers) = (response.status(), response.headers().clone());
        let body = to_bytes(response.into_body(), usize::MAX).await.unwrap();
        (status, headers, String::from_utf8(body.to_vec()).unwrap())
    }

    #[tokio::test]
    async fn a_panic_is_a_500_without_its_text() {
        let (status, _, body) = call("GET", "/panic", None).await;
        assert_eq!(status, StatusCode::INTERNAL_SERVER_ERROR);
        assert!(body.contains("INTERNAL_SERVER_ERROR") && !body.contains("secret"), "{body}");
    }

    #[tokio::test]
    async fn unknown_paths_and_methods_have_the_envelope() {
        let (status, _, body) = call("GET", "/nowhere", None).await;
        assert_eq!((status, body.contains("\"NOT_FOUND\"")), (StatusCode::NOT_FOUND, true));
        let (status, _, body) = call("POST", "/fine", None).await;
        assert_eq!(status, StatusCode::METHOD_NOT_ALLOWED);
        assert!(body.contains("METHOD_NOT_ALLOWED"), "{body}");
    }

    #[tokio::test]
    async fn a_request_id_is_kept_when_it_is_a_uuid() {
        let sent = "6f0f7a0e-9a3e-4a53-8f60-6cbb0a5a1d11";
        let (_, headers, _) = call("GET", "/fine", Some(sent)).await;
        assert_eq!(headers[REQUEST_ID], sent);
        let (_, headers, _) = call("GET", "/fine", Some("not one")).await;
        assert!(Uuid::parse_str(headers[REQUEST_ID].to_str().unwrap()).is_ok());
    }
}
