//! The HTTP door: REST, SSE, the API document and the docs page.
//!
//! The only room that knows axum. A request passes [`middleware`](self) (id, log
//! span, panics), then an extractor makes a `Principal` from its bearer token,
//! then a handler in `routes` asks `attune_domain::access` whether it may, calls
//! the store, the orchestrator or the catalog, and answers with an envelope.
//! `problem` is the one place where an error becomes a status; `models` holds
//! what travels on the wire. No rule of the product lives here.

mod access;
mod auth;
mod envelope;
mod input;
mod inside;
mod keys;
mod measure;
mod middleware;
mod models;
mod paging;
mod problem;
mod routes;
mod server;
mod state;
mod waiting;

pub use auth::claims::fingerprint;
pub use auth::passwords::{HashError, hash_password};
pub use inside::InsideApi;
pub use measure::describe_metrics;
pub use server::{router, serve, serve_metrics};
pub use state::{ApiParts, ApiSettings, Exposition, SecretBytes};
