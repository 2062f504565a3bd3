//! The API as actions of this server reach it: without a network in between.

use async_trait::async_trait;
use attune_domain::egress::{API_TOKEN, Body, Caller, EgressError, Inside};
use axum::Router;
use futures::{StreamExt, TryStreamExt};
use http::{Request, Response};
use tokio_util::sync::CancellationToken;
use tower::ServiceExt;

use crate::auth::{OfExecution, bearer_token};
use crate::server;
use crate::state::{ApiParts, ApiSettings};

/// The whole API, also on a server that serves nobody else with it.
pub struct InsideApi(Router);

impl InsideApi {
    pub fn new(parts: ApiParts) -> InsideApi {
        let settings = ApiSettings { health_only: false, ..parts.settings };
        InsideApi(server::assemble(ApiParts { settings, ..parts }, CancellationToken::new()))
    }
}

#[async_trait]
impl Inside for InsideApi {
    async fn serve(
        &self,
        caller: &Caller,
        mut request: Request<Option<Body>>,
    ) -> Result<Response<Body>, EgressError> {
        if bearer_token(request.headers()) == Some(API_TOKEN) {
            request.extensions_mut().insert(OfExecution(caller.clone()));
        }
        let request = request
            .map(|body| body.map_or_else(axum::body::Body::empty, axum::body::Body::from_stream));
        let response = self.0.clone().oneshot(request).await.unwrap_or_else(|never| match never {});
        Ok(response
            .map(|body| body.into_data_stream().map_err(|_| EgressError::Incomplete).boxed()))
    }
}
