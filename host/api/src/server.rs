//! The router with everything around it, and serving it.

use std::future::Future;

use axum::Router;
use axum::extract::DefaultBodyLimit;
use axum::serve::ListenerExt;
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;
use tracing::debug;

use crate::middleware;
use crate::problem::Problem;
use crate::routes;
use crate::state::{ApiParts, ApiState};

/// The whole HTTP interface, for a caller that serves it itself. Its endless
/// streams stay open until their clients go; [`serve`] closes them when it stops.
pub fn router(parts: ApiParts) -> Router {
    assemble(parts, CancellationToken::new())
}

/// Serves until `stop` resolves, then finishes the requests in flight. Streams that follow one
/// execution go on to its end; those that follow all are closed.
pub async fn serve(
    listener: TcpListener,
    parts: ApiParts,
    stop: impl Future<Output = ()> + Send + 'static,
) -> std::io::Result<()> {
    let stopping = CancellationToken::new();
    let app = assemble(parts, stopping.clone());
    // Answers are small and complete: waiting to fill a packet only adds latency.
    let listener = listener.tap_io(|stream| {
        if let Err(error) = stream.set_nodelay(true) {
            debug!(%error, "a connection keeps Nagle's algorithm");
        }
    });
    let stopped = async move {
        stop.await;
        stopping.cancel();
    };
    axum::serve(listener, app).with_graceful_shutdown(stopped).await
}

/// Serves the metrics and the health routes to whoever reaches the listener, for as long as the
/// caller polls this: while the server stops, too, which they tell.
pub async fn serve_metrics(listener: TcpListener, parts: ApiParts) -> std::io::Result<()> {
    let state = ApiState::new(parts, CancellationToken::new());
    axum::serve(listener, enclose(routes::without_credentials(), state)).await
}

pub(crate) fn assemble(parts: ApiParts, stopping: CancellationToken) -> Router {
    let version = parts.settings.version.clone();
    let routes = if parts.settings.health_only {
        routes::health_only()
    } else {
        let (router, document) = routes::described(&version).split_for_parts();
        router.merge(routes::docs::router(&document))
    };
    enclose(routes, ApiState::new(parts, stopping))
}

/// Puts around routes what all requests pass.
fn enclose(routes: Router<ApiState>, state: ApiState) -> Router {
    routes
        .fallback(async || Problem::not_found("no such path"))
        .method_not_allowed_fallback(async || Problem::method_not_allowed())
        // Bodies are limited where they are read, with answers in the envelope.
        .layer(DefaultBodyLimit::disable())
        .layer(axum::middleware::from_fn(middleware::around))
        .with_state(state)
}
