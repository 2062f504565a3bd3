//! What is measured of requests. The route is the pattern that matched, never the path: that is a
//! stranger's, and may name what is private.

use std::time::Duration;

use axum::extract::MatchedPath;
use axum::http::{Extensions, Method, StatusCode};
use metrics::{Unit, describe_histogram, histogram};

const REQUEST: &str = "attune_http_request_seconds";

/// Says what the numbers of this room are.
pub fn describe_metrics() {
    describe_histogram!(
        REQUEST,
        Unit::Seconds,
        "Time from a request's head to the head of its answer. It holds what the client asked to \
         wait for (Prefer: wait), and of a stream only the beginning."
    );
}

/// The route of a request.
pub(crate) fn route(extensions: &Extensions) -> String {
    let matched = extensions.get::<MatchedPath>();
    matched.map_or("unmatched", MatchedPath::as_str).to_owned()
}

/// A request was answered.
pub(crate) fn request(method: &Method, route: String, status: StatusCode, took: Duration) {
    let (method, status) = (word(method), class(status));
    histogram!(REQUEST, "method" => method, "route" => route, "status" => status).record(took);
}

/// Methods are the client's words too: those that no route takes are one.
fn word(method: &Method) -> &'static str {
    match *method {
        Method::GET => "GET",
        Method::POST => "POST",
        Method::PUT => "PUT",
        Method::DELETE => "DELETE",
        Method::HEAD => "HEAD",
        _ => "other",
    }
}

fn class(status: StatusCode) -> &'static str {
    match status.as_u16() {
        ..200 => "1xx",
        200..300 => "2xx",
        300..400 => "3xx",
        400..500 => "4xx",
        500.. => "5xx",
    }
}
