//! The endpoints, one file for a group. Routes and the API document are made from
//! the same handlers, so that they cannot drift apart.

mod account;
mod actions;
mod agent;
mod audit;
mod auth;
pub(crate) mod docs;
mod encryption;
mod executions;
mod health;
mod keys;
mod logs;
mod metrics;
mod packs;
mod stream;
mod streaming;
mod submit;
mod upload;
mod workers;

use std::collections::BTreeMap;

use axum::{Json, Router};
use utoipa::openapi::security::{Http, HttpAuthScheme, SecurityRequirement, SecurityScheme};
use utoipa::openapi::{
    Components, ContentBuilder, InfoBuilder, OpenApi, OpenApiBuilder, Ref, RefOr, Response,
    ResponseBuilder,
};
use utoipa::{IntoResponses, PartialSchema, ToSchema};
use utoipa_axum::router::OpenApiRouter;

use crate::envelope::{List, Single};
use crate::problem::{ErrorBody, Problem};
use crate::state::ApiState;

/// A single object, or why not.
type One<T> = Result<Json<Single<T>>, Problem>;
/// A page of a list, or why not.
type Many<T> = Result<Json<List<T>>, Problem>;

fn one<T>(data: T) -> Json<Single<T>> {
    Json(Single::new(data))
}

/// All routes with their descriptions.
pub(crate) fn described(version: &str) -> OpenApiRouter<ApiState> {
    let versioned = OpenApiRouter::new()
        .merge(packs::routes())
        .merge(upload::routes())
        .merge(actions::routes())
        .merge(submit::routes())
        .merge(executions::routes())
        .merge(stream::routes())
        .merge(logs::routes())
        .merge(agent::routes())
        .merge(workers::routes())
        .merge(audit::routes())
        .merge(keys::routes())
        .merge(encryption::routes());
    OpenApiRouter::with_openapi(document(version))
        .merge(health::routes())
        .merge(metrics::routes())
        .merge(auth::routes())
        .merge(account::routes())
        .nest("/api/v1", versioned)
}

/// What a server answers that does not serve the API: how it is.
pub(crate) fn health_only() -> Router<ApiState> {
    health::routes().merge(metrics::routes()).into()
}

/// How the server is, for whoever asks.
pub(crate) fn without_credentials() -> Router<ApiState> {
    Router::from(health::routes()).merge(metrics::open())
}

fn document(version: &str) -> OpenApi {
    let mut components = Components::new();
    let bearer = SecurityScheme::Http(Http::new(HttpAuthScheme::Bearer));
    components.add_security_scheme("bearer", bearer);
    components.schemas.insert(ErrorBody::name().into_owned(), ErrorBody::schema());
    OpenApiBuilder::new()
        .info(InfoBuilder::new().title("Attune").version(version).build())
        .components(Some(components))
        .security(Some([SecurityRequirement::new("bearer", [] as [&str; 0])]))
        .build()
}

/// Every refusal, in the document.
struct Refusals;

impl IntoResponses for Refusals {
    fn responses() -> BTreeMap<String, RefOr<Response>> {
        let body = Ref::from_schema_name(ErrorBody::name());
        let content = ContentBuilder::new().schema(Some(body)).build();
        let response = ResponseBuilder::new()
            .description("Refused; a missing or invalid bearer token has `error` as an object")
            .content("application/json", content)
            .build();
        BTreeMap::from([("default".to_owned(), response.into())])
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_document_has_the_contracts_paths() {
        let (_, document) = described("1.2.3").split_for_parts();
        for (path, methods) in [
            ("/health", "get"),
            ("/auth/login", "post"),
            ("/auth/me", "get put"),
            ("/api/v1/packs", "get post"),
            ("/api/v1/packs/upload", "post"),
            ("/api/v1/packs/{ref}", "get put delete"),
            ("/api/v1/packs/{ref}/actions", "get"),
            ("/api/v1/actions/search", "get"),
            ("/api/v1/actions/{ref}", "get put delete"),
            ("/api/v1/executions/execute", "post"),
            ("/api/v1/executions/{id}", "get"),
            ("/api/v1/executions/{id}/cancel", "post"),
            ("/api/v1/executions/stream", "get"),
            ("/api/v1/keys", "get post"),
            ("/api/v1/keys/{ref}", "get put delete"),
            ("/api/v1/keys/{ref}/increment", "post"),
            ("/api/v1/encryption", "get"),
            ("/api/v1/encryption/rotate", "post"),
        ] {
            let item = document.paths.paths.get(path).unwrap_or_else(|| panic!("{path}"));
            let text = serde_json::to_value(item).unwrap();
            for method in methods.split(' ') {
                assert!(text.get(method).is_some(), "{method} {path}");
            }
        }
        assert_eq!(document.info.version, "1.2.3");
    }

    #[test]
    fn every_reference_in_the_document_leads_somewhere() {
        let (_, document) = described("1").split_for_parts();
        let document = serde_json::to_value(&document).unwrap();
        let text = document.to_string();
        for reference in text.split("\"$ref\":\"#/").skip(1) {
            let path = reference.split('"').next().unwrap_or_default();
            assert!(document.pointer(&format!("/{path}")).is_some(), "{path}");
        }
    }
}
